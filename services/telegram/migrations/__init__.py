"""The schema of telegram, revision by revision. Revisions only expand."""
