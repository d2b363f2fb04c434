"""RPC handlers over the world, one module per topic of Telegram's API; importing this package registers them all."""

from services.testdc.api import bots, drafts, history, login, messages, peers, reactions, topics, updates

__all__ = ["bots", "drafts", "history", "login", "messages", "peers", "reactions", "topics", "updates"]
