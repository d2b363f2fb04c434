"""The schema of the pipeline, revision by revision. Revisions only expand."""
