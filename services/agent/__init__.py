"""Thinks: one turn's conversation with a model and its tools, streamed to whoever ordered it.

It owns the persona, the model and what the model is told. It stores nothing, and it never touches a chat.
"""
