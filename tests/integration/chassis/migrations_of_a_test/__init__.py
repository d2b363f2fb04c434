"""The schema that the tests of the database use: a table, and its copy that a whole transaction keeps equal."""
