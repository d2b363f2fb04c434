"""The outside systems of telegram: Telegram itself, its tables, the pipeline."""
