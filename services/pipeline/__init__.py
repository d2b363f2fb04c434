"""Takes every message to its answer: exactly one turn per message, in order per chat and topic.

It owns every conversation: messages, turns, checkpoints, outgoing parts, dead letters. It never talks to a model or to
Telegram. A message's way through it, one module a step:

submit → gate → (store) → dispatch → context → router → orchestrate ⇄ agent → respond → (store) → follow → deliver
"""
