"""The outside systems of the pipeline: its tables, the agent, people, Markdown."""
