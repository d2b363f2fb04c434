"""The schema of toolrunner, revision by revision. Revisions only expand."""
