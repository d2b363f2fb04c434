"""The outside of agent: models and the toolrunner."""
