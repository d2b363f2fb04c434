"""What the use cases need from the outside: the store, the agent, people, a renderer, and somebody who watches."""

from collections.abc import AsyncIterator, Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from services.pipeline.budget import Amount, Need, Price, Refusal, Scope, Window
from services.pipeline.model import (
    NO_USAGE,
    Account,
    Address,
    Checkpoint,
    DeadLetter,
    Disposition,
    Draft,
    Ended,
    Message,
    OpenLetter,
    Part,
    Preview,
    Question,
    Queue,
    Role,
    Said,
    Steer,
    Turn,
    TurnView,
    Typing,
    Usage,
)
from services.pipeline.outcome import Receipt, Work
from services.pipeline.promises import Promise, PromiseState, Wish

Used = tuple[Scope, Window, Amount]
"""What the owner of a budget used in a window."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who wrote a message. No id: people was away."""

    person_id: str = ""
    role: Role = Role.UNKNOWN


@dataclass(frozen=True, slots=True)
class Admission:
    """How a message enters the store: with a turn or as context, by whom, and with what is said at once."""

    disposition: Disposition
    person: Person = Person()
    at_once: Draft | None = None
    """Said without waiting for a turn."""
    keep_text: bool = True
    """False: the text of a stranger is not kept."""


class People(Protocol):
    """Who a person is."""

    async def resolve(self, message: Message) -> Person:
        """The writer of a message; UNKNOWN where people is away."""

    async def pairing_code(self, message: Message) -> str:
        """The same code for the same message; empty where the writer was given one before. Raises Unavailable."""


class Messages(Protocol):
    """Submitting and deleting. Every method is one transaction."""

    async def accept(self, message: Message, admission: Admission) -> tuple[Disposition, int | None]:
        """Keep the message and its turn, once; what became of it, now or the first time, and the turn's id."""

    async def edit(self, message: Message, person: Person | None = None) -> tuple[Disposition, int | None]:
        """A known message has another text now; one that is not known is ignored.

        With a person, who may be answered: a text that asks for an answer where the old one did not gets one.
        """

    async def stop(self, message: Message, person: Person) -> tuple[Disposition, int | None]:
        """Cancel what runs and waits in the message's lane, and say so; once."""

    async def stop_turn(self, account: Account, address: Address, turn_id: int) -> bool:
        """Cancel a turn of this chat and topic, and say so; False where it had ended."""

    async def delete(self, account: Account, chat_id: int, message_ids: Sequence[int]) -> int:
        """Mark messages as deleted and cancel what waits or runs for them; how many were known."""

    async def is_ours(self, account: Account, chat_id: int, message_id: int) -> bool:
        """A message of this chat was written by us."""


class Leases(Protocol):
    """Which turns this process runs, where it is not the only one."""

    async def keep(self, running: AbstractSet[str]) -> set[str]:
        """Hold the leases of what this process runs, and of nothing else; those runs that are still its own."""

    async def reclaim(self) -> int:
        """Hand over what has lost its lease; at the start, on a store of our own, whatever runs. How many turns."""


class Turns(Leases, Protocol):
    """The life of turns. Writes of a runner show its fence and raise LostOwnership where that is outdated."""

    async def claim(self, lanes: Iterable[str] | None, limit: int) -> list[Turn]:
        """Begin claimable turns, one a lane at most; of the given lanes, or of all.

        Where there are more than `limit`, chats share fairly: who was served longest ago comes first.
        """

    async def release(self, turn: Turn) -> None:
        """Hand the turn over: it waits again, checkpoints kept."""

    async def identify(self, turn: Turn, person: Person) -> None:
        """Who wrote the turn's message is known now."""

    async def drop_text(self, turn: Turn) -> None:
        """The turn's message is a stranger's: it gets a code, and its text is not kept."""

    async def forget(self, turn: Turn) -> None:
        """The turn's message was not for us: message and turn are gone."""

    async def add_checkpoint(self, turn: Turn, checkpoint: Checkpoint, need: Need | None = None) -> Refusal | None:
        """Keep what a model step added, settle its cost, and reserve that of the next call; or why that may not be.

        Keeping a step again changes nothing.
        """

    async def checkpoints(self, turn: Turn) -> tuple[Checkpoint, ...]:
        """What earlier attempts acknowledged, in order."""

    async def note_failure(self, turn: Turn) -> int:
        """Count a failure of the model; the count."""

    async def finish(
        self,
        turn: Turn,
        drafts: Sequence[Draft],
        usage: Usage,
        *,
        last: Usage = NO_USAGE,
        steer_ids: Sequence[str] = (),
        overhead: float | None = None,
    ) -> bool:
        """Write the answer's parts, and which seconds were ours; settle the `last` call, end the run and what joined.

        False: the question was changed and the run never heard of it; nothing is written, the turn waits again.
        """

    async def fail(self, turn: Turn, draft: Draft, reason: str, cause: str) -> None:
        """Give the turn up: the person is told, and a dead letter is kept."""

    async def show(self, turn_id: int) -> TurnView | None:
        """A turn as outsiders see it."""

    async def show_of(self, account: Account, chat_id: int, message_id: int) -> TurnView | None:
        """The turn that answers a message."""

    async def queue(self) -> Queue:
        """How much waits."""

    async def replay(self, turn_id: int) -> TurnView:
        """Let a failed turn wait again. Raises NotFound, WrongState."""


class Letters(Protocol):
    """What was given up, until somebody deals with it; ended letters raise WrongState where they ended otherwise."""

    async def dead_letters(self, before: int, limit: int) -> list[DeadLetter]:
        """Dead letters below an id, newest first."""

    async def open_letter(self, letter_id: int) -> OpenLetter | None:
        """A letter that nobody dealt with, and what it holds."""

    async def replay_letter(self, letter_id: int, turn_id: int | None = None) -> int | None:
        """Let a turn wait, or parts be sent, again; an update was submitted. The turn's id. A repeat changes nothing.

        Raises:
            NotFound: There never was such a letter.
            WrongState: It was dropped.
        """

    async def drop_letter(self, letter_id: int) -> None:
        """End a letter for good. A repeat changes nothing. Raises NotFound, WrongState (it was replayed)."""

    async def bury_update(self, account: Account, content: str, cause: str, submission: bytes | None) -> None:
        """Keep an update that a channel cannot hand over; the same update is one letter, whatever became of it."""


class Budgets(Protocol):
    """What model calls cost: reserved before, settled after. A call whose end nobody saw costs what was reserved."""

    async def reserve(self, turn: Turn, need: Need) -> Refusal | None:
        """Reserve for the first call of an attempt, or say why it may not begin."""

    async def give_back(self, turn: Turn) -> None:
        """The call that was reserved for was never made."""

    async def used(self, message: Message) -> list[Used]:
        """What the writer of a message, its chat, and everybody used today and this month."""

    async def used_by_all(self) -> list[Used]:
        """What everybody used today and this month."""


class History(Protocol):
    """What was said."""

    async def before(self, message: Message, limit: int) -> list[Said]:
        """What was said in the lane before a message, oldest first, answers behind their questions."""

    async def said(self, account: Account, chat_id: int, message_id: int) -> Said | None:
        """One message, if it is known and not deleted."""

    async def search(self, account: Account, address: Address, query: str, limit: int) -> list[Said]:
        """What was said in a chat and topic with these words, best first."""

    async def work_on(self, message: Message) -> Work | None:
        """What was done for what a message replies to, else for the last question before it that is not for this."""


class Parts(Protocol):
    """What is to be sent."""

    async def due(self, account: Account, lanes: Iterable[str] | None) -> list[Part]:
        """Per lane the first text without a receipt, and the wished-for reactions; of the given lanes or all."""

    async def add_preview(self, turn: Turn, draft: Draft) -> None:
        """A message that shows the beginning of an answer; a turn has one at most."""

    async def tell(self, turn: Turn, words: Draft) -> None:
        """Say a word while the turn goes on; once a turn, and once a minute to a person."""

    async def preview_id(self, turn: Turn) -> int:
        """The message that shows the preview; 0 where there is none (yet)."""

    async def react(self, turn: Turn, emoji: str, *, by_agent: bool) -> None:
        """Wish for a reaction to the turn's message; the agent's wish outlasts ours."""

    async def deliver(self, part_id: int, message_id: int, error: str) -> Receipt | None:
        """Keep the outcome of a part: a message id, or why it can never be delivered. None: it was a repeat."""


class Steers(Protocol):
    """What joins running turns."""

    async def set_steering(self, account: Account, chat_id: int, *, on: bool) -> None:
        """Whether messages join the running turn of this chat, in all of its topics."""

    async def joining(self, turn: Turn) -> list[Turn]:
        """The running turn itself if its question has changed, and where steering is on all that waits behind it."""

    async def changed(self, steer_ids: Sequence[str]) -> set[int]:
        """The turns of these that have no answer yet, and whose question is another by now."""


class Promises(Protocol):
    """The books of promises. What a turn changes shows its fence and raises LostOwnership where that is outdated."""

    async def make_promise(self, turn: Turn, step: int, index: int, wish: Wish) -> Promise:
        """Promise something in the name of a turn's call; the same call again gets the same promise.

        Raises:
            NotFound: It waits for a promise that the person does not have.
            WrongState: The person has too many, or it waits for one that recurs.
        """

    async def list_promises(self, person_id: str, lane: str | None) -> list[Promise]:
        """A person's open promises, of one lane or of all, the next one first."""

    async def cancel_promise(self, turn: Turn, number: int, lane: str | None) -> Promise | None:
        """Take a promise back, and stop its run; how it stands then. None: there is no such promise."""

    async def zone_of(self, person_id: str) -> str:
        """A person's time zone; empty where it was never said."""

    async def set_zone(self, person_id: str, zone: str) -> None:
        """A person's time zone is this, and so what recurs and waits is due at other times, none of them over."""

    async def ready_promises(self, limit: int) -> list[Promise]:
        """What is due and waits for no other promise, of chats in which none runs; what goes first stands first.

        What can never be kept, because a promise that it waited for was not, is among them, due or not.
        """

    async def begin_promise(self, promise: Promise) -> bool:
        """Turn a due promise into a turn of its chat.

        False where that has happened, it is not due any more, or another one of the chat has begun.
        """

    async def promised(self, turn: Turn) -> Turn:
        """A turn that carries out a promise, with what it is to do. Raises NotFound."""

    async def ended_promises(self) -> list[Ended]:
        """What runs, and whose turn has ended."""

    async def end_promise(self, promise: Promise, to: PromiseState, due: float, words: str = "") -> bool:
        """Close a run, and say so if there are words; what waits again is due at the given time.

        False where that has happened, or the time was found by a clock that is not the person's any more.
        """

    async def measure_promises(self) -> tuple[int, float]:
        """How many promises wait, and for how many seconds the oldest one is due that could run."""


class Store(Messages, Turns, Letters, Budgets, History, Parts, Steers, Promises, Protocol):
    """Everything the pipeline keeps."""


class Renderer(Protocol):
    """Markdown into what Telegram takes."""

    def render(self, markdown: str) -> list[Draft]:
        """The messages of an answer, in order; at least one."""

    def glimpse(self, markdown: str) -> Draft:
        """The end of a text that is still being written, as one message."""


@dataclass(frozen=True, slots=True)
class Text:
    """More of the answer; `restart`: what came before was not the answer."""

    text: str
    restart: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A model step that asks for tools; they start after its acknowledgement."""

    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class HostCall:
    """Something that only the conversation can do; arguments and result are JSON."""

    step: int
    index: int
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Output:
    """The answer, in Markdown."""

    text: str
    usage: Usage
    last: Usage = NO_USAGE
    """What was used since the last step."""
    steer_ids: tuple[str, ...] = ()
    """What joined the turn and is answered with it."""
    model_seconds: float | None = 0.0
    """In which the turn waited for the model; None where nobody knows."""


AgentEvent = Text | Step | HostCall | Output


class Run(Protocol):
    """One attempt of a turn at the agent."""

    def __aiter__(self) -> AsyncIterator[AgentEvent]:
        """What happens. Raises ValorError where the attempt fails."""

    async def accepted(self) -> bool:
        """The agent has taken the attempt, so that the model may have been asked; for an attempt that has failed."""

    async def acknowledge(self, step: int) -> None:
        """The step is kept: its tools may start."""

    async def steer(self, steer: Steer) -> None:
        """Something has joined the turn."""

    async def answer(self, call: HostCall, content: str) -> None:
        """The result of a host call, JSON."""


class Agent(Protocol):
    """Who thinks."""

    def run(self, question: Question) -> AbstractAsyncContextManager[Run]:
        """Begin an attempt; leaving the block cancels what still runs."""

    async def price(self) -> Price:
        """What the model costs. Raises Unavailable, TimedOut."""


class Audience(Protocol):
    """Who follows the account's chats right now."""

    def show(self, event: Preview | Typing) -> None:
        """Show something fleeting; dropped where nobody follows."""
