"""The schema of people, revision by revision. Revisions only expand."""
