"""The commands: each name, its line in /help, and its answer."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from services.pipeline.budget import Limit, Scope
from services.pipeline.budget_words import usage_words
from services.pipeline.model import ChatType, Message, Queue, Role
from services.pipeline.outcome import Work
from services.pipeline.ports import Store

STOP = "stop"
"""Acts when it arrives, outside the queue."""

TRACE = "trace"
"""Is about other questions, never about itself."""

PAIRING = (
    "Hello! I am Valor, and I do not know you yet. Please give this code to whoever runs me, "
    "and I will talk to you: `{code}`\n\n(They let you in with `valor pair {code}`; it is good for an hour.)"
)
"""What a stranger is told."""


@dataclass(frozen=True)
class CommandSpec:
    """A command as /help shows it."""

    name: str
    help: str


COMMANDS = (
    CommandSpec("start", "say hello"),
    CommandSpec("help", "what I can do"),
    CommandSpec("status", "how I am, and what waits"),
    CommandSpec("usage", "what was used and what remains, today and this month"),
    CommandSpec(TRACE, "what to tell whoever runs me when an answer went wrong: the number of its trace"),
    CommandSpec("stop", "stop what I am doing here, and forget what waits"),
    CommandSpec("steer", "`on`: what you write while I work joins it; `off`: it waits"),
    CommandSpec("remind", "say something later: /remind in 10 minutes stretch your legs"),
    CommandSpec("every", "do something again and again: /every day at 9:00 what is on today?"),
    CommandSpec("promises", "what I have promised you"),
    CommandSpec("cancel", "take a promise back: /cancel 3"),
    CommandSpec("timezone", "say where your clock is: /timezone Europe/Berlin"),
)


class Commands:
    """Answers commands."""

    def __init__(self, store: Store, limits: Callable[[], Awaitable[tuple[Limit, ...]]]) -> None:
        self._store, self._limits = store, limits
        self._answers: dict[str, Callable[[Message, Role], Awaitable[str]]] = {
            "start": self._start,
            "help": self._help,
            "status": self._status,
            "usage": self._usage,
            TRACE: self._trace,
            STOP: self._stop,
            "steer": self._steer,
        }

    async def answer(self, name: str, message: Message, role: Role) -> str:
        """The answer to a command; an unknown one is told what there is."""
        if name not in self._answers:
            return f"I do not know `/{name[:32]}`.\n\n{_list()}"
        return await self._answers[name](message, role)

    async def _start(self, message: Message, _role: Role) -> str:
        name = message.sender.name.split(" ")[0]
        return f"Hello{f', {name}' if name else ''}! I am Valor, an AI teammate. Write to me, or send /help."

    async def _help(self, message: Message, _role: Role) -> str:
        how = "" if message.chat_type is ChatType.PRIVATE else " In groups, mention me or reply to me."
        return f"Ask me anything: I answer, calculate, look things up and remember this chat.{how}\n\n{_list()}"

    async def _status(self, message: Message, role: Role) -> str:
        shown = status(await self._store.queue())
        return f"{shown}\n\nThis chat has the id `{message.address.chat_id}`." if role is Role.OWNER else shown

    async def _usage(self, message: Message, role: Role) -> str:
        used = await self._store.used(message)
        shown = used if role is Role.OWNER else [one for one in used if one[0] is not Scope.TOTAL]
        return usage_words(shown, await self._limits(), time.time())

    async def _trace(self, message: Message, _role: Role) -> str:
        work = await self._store.work_on(message)
        return traced(work) if work else "There is no question here that I know of."

    async def _stop(self, _message: Message, _role: Role) -> str:
        return stopped(0)  # it had to wait for its turn: what it could have stopped has ended

    async def _steer(self, message: Message, role: Role) -> str:
        wish = message.text.split()[1:2]
        if role not in {Role.OWNER, Role.MEMBER}:
            return "Only members may change that."
        if wish not in (["on"], ["off"]):
            return "Say `/steer on` or `/steer off`."
        on = wish == ["on"]
        await self._store.set_steering(message.account, message.address.chat_id, on=on)
        return "What you write while I work joins it now." if on else "What you write while I work waits its turn now."


def status(queue: Queue) -> str:
    """The state of the house in a sentence or two; measured, never assumed."""
    others = queue.running - 1  # the one who asks is running too
    busy = f"I am answering {others} other message{'s' if others != 1 else ''}" if others > 0 else "I am here"
    if queue.waiting:
        busy += f"; {queue.waiting} wait, the oldest for {queue.oldest_waiting:.0f} s"
    return f"{busy}."


def traced(work: Work) -> str:
    """What /trace answers."""
    accepted = datetime.fromtimestamp(work.accept_time, UTC)
    told = f"Turn {work.turn_id}, asked on {accepted:%Y-%m-%d} at {accepted:%H:%M:%S} UTC"
    if not work.trace_id:
        return f"{told}: no trace was kept."
    return f"{told}. Trace `{work.trace_id}`\n\nWhoever runs me finds everything that was done for it by that number."


def stopped(count: int) -> str:
    """What /stop answers."""
    return "Stopped." if count else "There was nothing to stop."


def _list() -> str:
    return "\n".join(f"- /{command.name}: {command.help}" for command in COMMANDS)
