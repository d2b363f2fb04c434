"""The sandbox Telegram: a local data centre that speaks real MTProto to unmodified clients.

It owns a simulated world (accounts, chats, messages, update boxes) and everything said in it, and it is the only truth
about what people saw. It never reaches the real Telegram, never imports another part of the product, and never
corrects a client: what it does not know it refuses and lists in `World.unknown_calls`.
"""
