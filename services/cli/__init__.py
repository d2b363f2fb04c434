"""The `valor` command: starts the house, talks to it, asks how it is.

It is the composition root of a whole house, and so the one place that may import every service's `serve`.
"""
