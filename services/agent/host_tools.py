"""Tools that only the conversation itself can serve: what the model is told of them, and what they must be given."""

import json

from services.agent.model import Call, Result, Tool

_REACTIONS = """
👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳
❤\u200d🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨\u200d💻 👀 🎃 🙈
😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷\u200d♂ 🤷 🤷\u200d♀ 😡
"""
REACTIONS = frozenset(_REACTIONS.split())
"""What Telegram takes as a reaction. Source: its Bot API, ReactionTypeEmoji."""

SEARCH_HISTORY = Tool(
    "search_history",
    "Search what was said in this chat, by people and by you. Returns the messages that fit, with speaker and time.",
    {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "Words to look for."},
            "limit": {"type": "integer", "minimum": 1, "maximum": 20, "description": "Messages at most."},
        },
        "required": ["query"],
    },
)

REACT = Tool(
    "react",
    "Put an emoji reaction on the message that you are answering.",
    {
        "type": "object",
        "properties": {"emoji": {"type": "string", "description": "One that Telegram has: 👍 ❤ 🔥 🎉 🙏 👀 …"}},
        "required": ["emoji"],
    },
)

MAKE_PROMISE = Tool(
    "make_promise",
    "Promise to do something later in this chat: you are called again when it is due, do it then, and your answer is "
    "posted here. Also for work that takes long: answer shortly that you will report back, and promise it for now.",
    {
        "type": "object",
        "properties": {
            "what": {"type": "string", "maxLength": 1000, "description": "What to do, with all that has to be known."},
            "when": {
                "type": "string",
                "description": "In the person's time zone: now, in 10 minutes, 18:00, tomorrow 9:00, 2026-12-24 18:00.",
            },
            "every": {
                "type": "string",
                "description": "For what recurs, instead of when: day at 9:00, monday 9:00, hour, or five cron fields.",
            },
            "reminder": {"type": "boolean", "description": "Only post the words of what, and do nothing."},
            "waits_for": {
                "type": "array",
                "items": {"type": "integer"},
                "description": "Numbers of promises that have to be kept before.",
            },
            "priority": {"type": "integer", "minimum": 1, "maximum": 10, "description": "10 goes first; 5 is usual."},
            "minutes": {"type": "integer", "minimum": 1, "maximum": 120, "description": "How long it may take; 10."},
        },
        "required": ["what"],
    },
)

TOOLS = {tool.name: tool for tool in (SEARCH_HISTORY, REACT, MAKE_PROMISE)}


def refusal(call: Call) -> str:
    """Why the conversation need not be asked; empty where it is to be asked."""
    arguments = call.parsed() or {}
    if call.name == SEARCH_HISTORY.name and not isinstance(arguments.get("query"), str):
        return "query is missing."
    if call.name == REACT.name and str(arguments.get("emoji", "")).replace("\ufe0f", "") not in REACTIONS:
        return f"That is no reaction here. Take one of: {' '.join(sorted(REACTIONS))}"
    if call.name == MAKE_PROMISE.name and not str(arguments.get("what") or "").strip():
        return "what is missing."
    return ""


def result(content: str) -> Result:
    """What the conversation's answer, JSON, means: an object with "error" is a failure."""
    try:
        value = json.loads(content)
    except ValueError:
        return Result("The chat gave an answer that cannot be read.", failed=True)
    return Result(content, failed=isinstance(value, dict) and "error" in value)
