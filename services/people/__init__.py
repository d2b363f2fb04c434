"""Who a person is: identities, roles, and the codes by which strangers are let in.

It owns persons, identities, roles and pairings. It never sees a message.
"""
