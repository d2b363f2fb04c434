"""The outside systems of people: its tables."""
