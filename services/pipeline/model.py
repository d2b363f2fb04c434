"""The words of a conversation: message, turn, part. No I/O."""

from dataclasses import astuple, dataclass, field
from enum import StrEnum

from services.pipeline.outcome import LetterKind
from services.pipeline.promises import Promise


class ChatType(StrEnum):
    """What kind of chat it is; decides who is answered and where message ids come from."""

    PRIVATE = "private"
    GROUP = "group"
    SUPERGROUP = "supergroup"


class Role(StrEnum):
    """What a person may do. UNKNOWN: people was away when the message came."""

    UNKNOWN = "unknown"
    GUEST = "guest"
    MEMBER = "member"
    OWNER = "owner"


class State(StrEnum):
    """Where a turn stands."""

    WAITING = "waiting"
    RUNNING = "running"
    ANSWERING = "answering"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


LEGAL: dict[State, frozenset[State]] = {
    State.WAITING: frozenset({State.RUNNING, State.FAILED}),
    State.RUNNING: frozenset({State.WAITING}),
    State.ANSWERING: frozenset({State.RUNNING, State.WAITING, State.FAILED}),
    State.DONE: frozenset({State.ANSWERING}),
    State.FAILED: frozenset({State.RUNNING, State.ANSWERING}),
    State.CANCELLED: frozenset({State.WAITING, State.RUNNING}),
}
"""From which states a state may be entered: running → waiting hands over; failed → waiting replays the turn, failed →
answering what of its answer was refused; waiting → answering has joined a running turn that answers both."""


class PartKind(StrEnum):
    """What a part is in the chat."""

    TEXT = "text"
    # A word that goes along with a turn and is no part of its answer.
    NOTICE = "notice"
    PREVIEW = "preview"
    REACTION = "reaction"


class Disposition(StrEnum):
    """What became of a submitted message."""

    QUEUED = "queued"
    CONTEXT = "context"
    IGNORED = "ignored"
    EDITED = "edited"
    ACTED = "acted"
    PAIRING = "pairing"


@dataclass(frozen=True, slots=True)
class Account:
    """The account that a channel speaks for."""

    channel: str
    account_id: int
    username: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """A chat and, in forums, the topic in it."""

    chat_id: int
    topic_id: int = 0


@dataclass(frozen=True, slots=True)
class Entity:
    """A span of a text with a meaning; offset and length in UTF-16 code units."""

    type: str
    offset: int
    length: int
    value: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who wrote a message."""

    user_id: int
    name: str = ""
    username: str = ""
    bot: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """Something a person wrote."""

    account: Account
    address: Address
    chat_type: ChatType
    message_id: int
    sender: Sender
    text: str
    version: int = 0
    edited: bool = False
    chat_title: str = ""
    kind: str = "text"
    entities: tuple[Entity, ...] = ()
    reply_to: int = 0
    send_time: float = 0.0
    order_key: int = 0
    """Its place in its lane, where that is known; mostly its number."""
    promise_id: int = 0
    """The promise that is due, where nobody wrote this: it has no number then. 0: somebody wrote it."""

    @property
    def answered(self) -> int:
        """The message that an answer belongs to: this one, or the one that asked for a promise. 0: there is none."""
        return self.message_id or self.reply_to

    @property
    def lane(self) -> str:
        """Chat and topic of one account: in a lane, one turn at a time and everything in order."""
        return lane(self.account, self.address)

    @property
    def key(self) -> str:
        """The name of the message, the same in every repeat."""
        return f"{self.account.channel}:{self.account.account_id}:{self.address.chat_id}:{self.message_id}"


def lane(account: Account, address: Address) -> str:
    """The lane of an address."""
    return f"{chat_key(account, address.chat_id)}:{address.topic_id}"


def chat_key(account: Account, chat_id: int) -> str:
    """The name of a chat with all of its topics."""
    return f"{account.channel}:{account.account_id}:{chat_id}"


def run(turn_id: int, fence: int) -> str:
    """The name of one run of a turn; claimed again, the turn runs under another."""
    return f"{turn_id}:{fence}"


@dataclass(frozen=True, slots=True)
class Usage:
    """What model calls cost."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    tool_calls: int = 0
    cost: int = 0
    """Millionths of a US dollar."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(one + another for one, another in zip(astuple(self), astuple(other), strict=True)))


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn as its runner holds it. `fence` is the token that every write of the runner must show."""

    turn_id: int
    fence: int
    attempts: int
    message: Message
    person_id: str
    role: Role
    accept_time: float
    trace: str = ""
    edition: int = 0
    """How often the turn was begun anew, by an edit or a replay."""
    promise: Promise | None = None
    """What the turn carries out, where nobody asks."""
    ready_time: float = 0.0
    """Since when it could be worked on: nothing of its lane ran, and its person was not too fast."""

    @property
    def key(self) -> str:
        """What its tool calls are known by: those of an earlier edition are other calls."""
        return f"{self.turn_id}.{self.edition}" if self.edition else str(self.turn_id)

    @property
    def run(self) -> str:
        """The name of this run."""
        return run(self.turn_id, self.fence)

    def seconds(self, usual: float) -> float:
        """How long the turn may take."""
        return usual if self.promise is None else 60.0 * self.promise.minutes


@dataclass(frozen=True, slots=True)
class Said:
    """Something that was said in the chat. No speaker: Valor."""

    speaker: str
    text: str
    send_time: float


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What one acknowledged model step added."""

    step: int
    data: bytes
    usage: Usage
    steer_ids: tuple[str, ...] = ()
    """What joined the turn before this step."""
    side_effects: bool = False
    """A tool that the step asks for changes something outside."""


@dataclass(frozen=True, slots=True)
class Steer:
    """Something that a running turn is told: a message that joins it, or its own question in another wording."""

    turn_id: int
    version: int
    speaker: str
    text: str
    send_time: float
    rewords: bool

    @property
    def steer_id(self) -> str:
        """Its name towards the agent: another wording is another steer."""
        return self.name(self.turn_id, self.version)

    @staticmethod
    def name(turn_id: int, version: int) -> str:
        """What `parse` takes apart."""
        return f"{turn_id}:{version}"

    @staticmethod
    def parse(steer_id: str) -> tuple[int, int]:
        """The turn and the version of a name."""
        turn_id, _, version = steer_id.partition(":")
        return int(turn_id), int(version)


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that is to be sent: what the renderer made of Markdown."""

    text: str
    entities: tuple[Entity, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to send, as a channel gets it."""

    part_id: int
    turn_id: int
    account: Account
    address: Address
    kind: PartKind
    text: str
    entities: tuple[Entity, ...]
    random_id: int
    reply_to: int
    target: int
    trace: str


@dataclass(frozen=True, slots=True)
class TurnView:
    """A turn as outsiders see it."""

    turn_id: int
    account: Account
    address: Address
    message_id: int
    state: State
    reason: str
    usage: Usage
    accept_time: float
    start_time: float | None
    answer_time: float | None
    end_time: float | None
    settled: bool
    """Nothing of what the turn says is on its way any more."""
    answers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something that was given up. An update has no turn: 0."""

    letter_id: int
    kind: LetterKind
    turn_id: int
    account: Account
    address: Address
    message_id: int
    reason: str
    cause: str
    create_time: float


@dataclass(frozen=True, slots=True)
class OpenLetter:
    """A dead letter with what it holds: the question, the parts that were refused, or the update."""

    letter: DeadLetter
    content: str
    submission: bytes | None = None
    """The update as its channel would submit it, where it could be read."""


@dataclass(frozen=True, slots=True)
class Queue:
    """How much waits, and for how long (seconds)."""

    waiting: int = 0
    running: int = 0
    undelivered: int = 0
    oldest_waiting: float = 0.0
    dead: int = 0
    promises: int = 0
    """Those that wait for their time or for another promise."""
    dropped: int = 0
    claimable: int = 0
    """Turns that could begin now: of each lane in which nothing runs the first."""
    oldest_undelivered: float = 0.0


@dataclass(frozen=True, slots=True)
class Preview:
    """What people see while a turn runs. Fleeting: the latest wins."""

    turn_id: int
    account: Account
    address: Address
    text: str
    target: int = 0


@dataclass(frozen=True, slots=True)
class Typing:
    """Somebody is being answered. Fleeting."""

    turn_id: int
    account: Account
    address: Address


@dataclass(frozen=True, slots=True)
class Limits:
    """What one turn may use."""

    steps: int = 20
    tool_calls: int = 40
    equal_calls: int = 3


@dataclass(frozen=True, slots=True)
class Question:
    """Everything the agent is told about a turn."""

    turn: Turn
    text: str
    reply_to: Said | None
    history: tuple[Said, ...]
    checkpoints: tuple[Checkpoint, ...] = ()
    rights: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Ended:
    """A promise that runs, and how its turn has ended."""

    promise: Promise
    state: State
    reason: str
    failures: int = 0
    """How many of its last runs failed in a row; counted up to promises.FAILURES."""
