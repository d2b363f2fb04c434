"""Tools, the sandbox, knowledge, and the ledger that lets each call happen once.

It owns calls and documents. It knows of a chat only what the scope of a call says.
"""
