"""The nouns of the sandbox: accounts, groups, posts, actions. Plain data; no I/O and no TL classes.

Chats are named by one number, Telethon's marked id: a person or bot by its id, a basic group by -id, a supergroup by
-1000000000000 - id. A *box* is one sequence of updates: an account's own (private chats and basic groups), named by
the account, or a supergroup's, named by the group.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

SUPERGROUP_BASE = -1_000_000_000_000

Entity = dict[str, Any]
"""`{"type": "Bold", "offset": 0, "length": 4}`: the TL name without MessageEntity, its fields; UTF-16 units."""

MediaKind = Literal["photo", "voice", "document", "sticker"]
GroupKind = Literal["basic", "supergroup"]
EventKind = Literal["new", "edit", "touch", "delete"]
ActionKind = Literal[
    "send",
    "edit",
    "delete",
    "react",
    "typing",
    "draft",
    "stop",
    "commands",
    "join",
    "leave",
    "block",
    "unblock",
    "close",
    "reopen",
]


def box_of(chat: int, viewer: int) -> int:
    """The box through which this account sees a chat."""
    return chat if chat <= SUPERGROUP_BASE else viewer


class RpcFail(Exception):
    """A refusal in Telegram's own words, e.g. 400 PEER_ID_INVALID; clients and the control port see it alike."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def bad(message: str) -> RpcFail:
    """A refusal with code 400."""
    return RpcFail(400, message)


@dataclass(frozen=True, slots=True)
class Account:
    """A person or a bot."""

    id: int
    name: str
    username: str | None
    bot: bool
    token: str = field(default="", repr=False)
    forum: bool = False
    """Of a bot: private chats with it have topics."""


@dataclass(slots=True, eq=False)
class Group:
    """A basic group or a supergroup; `id` is marked, `raw_id` is what TL objects carry."""

    id: int
    title: str
    kind: GroupKind
    created: float
    members: set[int] = field(default_factory=set)
    admins: set[int] = field(default_factory=set)
    forum: bool = False
    """Of a supergroup: it has topics."""

    @property
    def raw_id(self) -> int:
        """The positive id within its kind."""
        return SUPERGROUP_BASE - self.id if self.kind == "supergroup" else -self.id


Peer = Account | Group


@dataclass(frozen=True, slots=True)
class Post:
    """A message, whoever looks at it; a snapshot, ask the world again for its present state.

    `chat` is the group, or in a private chat the receiver. `ids` maps a box to the message's id in it. `reactions`
    maps an account to its emoji. `reply_to` is a post, and so is `topic`: the one that began it, or None outside of
    topics and in General.
    """

    id: int
    sender: int
    chat: int
    text: str
    entities: list[Entity]
    media: MediaKind | None
    reply_to: int | None
    date: float
    edit_date: float | None
    deleted: bool
    random_id: int
    ids: dict[int, int]
    reactions: dict[int, list[str]]
    topic: int | None = None

    @property
    def begins_topic(self) -> bool:
        """It is the service message that began a topic; the topic goes by its id."""
        return self.topic == self.id

    def box_of(self, viewer: int) -> int:
        """The box through which this account sees the post."""
        return box_of(self.chat, viewer)

    def message_id(self, viewer: int) -> int:
        """The message's id as this account sees it; KeyError if it does not."""
        return self.ids[self.box_of(viewer)]

    def chat_for(self, viewer: int) -> int:
        """The chat as this account sees it: in a private chat the other side."""
        return self.sender if self.chat == viewer else self.chat


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that a bot is still writing; `id` is the bot's own. The person may stop it where the bot allows that."""

    id: int
    text: str
    entities: tuple[Entity, ...] = ()
    can_stop: bool = False
    keep_on_stop: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody did: one entry of the record.

    `seq` counts from 1 without gaps, `at` is in seconds since 1970, `account` did it in `chat` (as that account sees
    it). `ids` are the message's ids by box, see `message_id`; `random_id` is the client's, or of a draft the draft's.
    `topic` is the post that began the topic.
    """

    seq: int
    at: float
    kind: ActionKind
    account: int
    chat: int
    post: int | None = None
    ids: dict[int, int] = field(default_factory=dict)
    text: str = ""
    entities: list[Entity] = field(default_factory=list)
    random_id: int = 0
    reply_to: int | None = None
    media: MediaKind | None = None
    emoji: list[str] = field(default_factory=list)
    topic: int | None = None

    def message_id(self, viewer: int) -> int:
        """The message's id as this account sees it; KeyError if it does not."""
        return self.ids[box_of(self.chat, viewer)]


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a box: `pts` grows by exactly one. A touch is an edit that changes nothing visible."""

    box: int
    pts: int
    kind: EventKind
    post: Post
    message_id: int


@dataclass(frozen=True, slots=True)
class ReactionEvent:
    """One step of a bot's qts: somebody changed the reaction to a message."""

    account: int
    qts: int
    post: Post
    actor: int
    date: float
    old: list[str]
    new: list[str]


@dataclass(frozen=True, slots=True)
class ReactedEvent:
    """What people are told when a reaction changes: how the message stands now; not part of any sequence."""

    account: int
    post: Post


@dataclass(frozen=True, slots=True)
class MembershipEvent:
    """An account came into a group or left it; not part of any sequence."""

    account: int
    group: Group


@dataclass(frozen=True, slots=True)
class SignEvent:
    """Somebody types, streams a draft, or stops one; not part of any sequence.

    `account` is who is told, `chat` the group or in private the receiver. Without a draft: types.
    """

    account: int
    actor: int
    chat: int
    topic: Post | None
    draft: Draft | None = None
    stops: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as one person sees it; `reply_to` is a message id, `reactions` maps an account to its emoji.

    `topic` is the id of the topic's first message, 0 outside of topics and in General.
    """

    id: int
    post: int
    sender: int
    text: str
    entities: list[Entity]
    media: MediaKind | None
    date: float
    edited: bool
    reply_to: int | None
    reactions: dict[int, list[str]]
    topic: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """A chat as one person sees it now; `typing` lists accounts, `drafts` maps an account to its streamed text."""

    messages: list[Seen]
    typing: list[int]
    drafts: dict[int, str]


def to_json(value: Any) -> str:
    """A dataclass of this module, or anything made of them, on one line; keys of maps become strings."""
    return json.dumps(value, default=_fields)


def _fields(value: Any) -> Any:
    if isinstance(value, set):
        return sorted(value)
    return {field.name: getattr(value, field.name) for field in fields(value)}


def action_from(data: Mapping[str, Any]) -> Action:
    """The action of a parsed JSON object."""
    return Action(**{**data, "ids": int_keys(data["ids"])})


def int_keys(data: Mapping[str, Any]) -> dict[int, Any]:
    """A map with the integer keys that JSON turned into strings."""
    return {int(key): value for key, value in data.items()}
