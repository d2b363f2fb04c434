"""What a message asks for: a command, a word on why it cannot be read, or the agent."""

from dataclasses import dataclass

from services.pipeline.model import ChatType, Message
from services.pipeline.units import span

LONGEST = 32_768
"""Characters of a question. Telegram lets people write 4,096; other channels may bring more."""

UNREADABLE = {
    "photo": "photos",
    "voice": "voice messages",
    "video": "videos",
    "video_note": "video messages",
    "animation": "animations",
    "audio": "music",
    "document": "files",
    "sticker": "stickers",
    "location": "locations",
    "contact": "contacts",
    "poll": "polls",
}
"""Kinds that are declared and cannot be read yet; every one of them gets a word."""


@dataclass(frozen=True)
class Command:
    """A command, without slash and bot name, lower case."""

    name: str


@dataclass(frozen=True)
class Plain:
    """A fixed answer."""

    text: str


@dataclass(frozen=True)
class Ask:
    """A question for the agent, with the bot's name taken out."""

    text: str


Route = Command | Plain | Ask


def route(message: Message) -> Route:
    """The one way of a message."""
    command = command_of(message)
    if command is not None:
        return command
    if len(message.text) > LONGEST:
        return Plain(f"That is {len(message.text):,} characters; I can read {LONGEST:,} at once. Please send less.")
    if message.kind in UNREADABLE and not message.text.strip():
        return Plain(f"I cannot read {UNREADABLE[message.kind]} yet. Please write to me in words.")
    question = without_name(message)
    if not question.strip():
        return Ask("Hello!") if message.kind == "text" else Plain("I cannot read this kind of message yet.")
    return Ask(question)


def command_of(message: Message) -> Command | None:
    """The command that a message begins with, if it is for us."""
    for entity in message.entities:
        if entity.type == "bot_command" and entity.offset == 0:
            name, _, bot = span(message.text, entity).removeprefix("/").partition("@")
            if bot.lower() in {"", message.account.username.lower()}:
                return Command(name.lower())
    return None


def without_name(message: Message) -> str:
    """The text of a question; in groups, without the mention that called us."""
    if message.chat_type is ChatType.PRIVATE or not message.account.username:
        return message.text.strip()
    called = f"@{message.account.username}".lower()
    mentions = [
        span(message.text, entity)
        for entity in message.entities
        if entity.type == "mention" and span(message.text, entity).lower() == called
    ]
    text = message.text
    for mention in mentions:
        text = text.replace(mention, "", 1)
    return text.strip(" ,:;\n\t")
