"""The outside systems of toolrunner: its tables, the sandbox, the folder of documents."""
