"""Makes, lists and takes back promises: the commands about them, and the agent's host call."""

from collections.abc import Awaitable, Callable

from services.chassis import logs
from services.chassis.errors import NotFound, WrongState
from services.pipeline import promises as rules
from services.pipeline import remind, schedule
from services.pipeline.model import ChatType, Turn
from services.pipeline.ports import HostCall, Promises
from services.pipeline.promises import LONGEST, Kind, Promise, PromiseState, Wish, shortened
from services.pipeline.remind import Unclear

log = logs.get()

CANCEL = "Please say which one, by its number in /promises, such as: /cancel 3"
TIMEZONE = "Please name a time zone as the IANA does, such as: /timezone Europe/Berlin"
NO_ZONE = (
    f"You have not told me your time zone, so I count in {schedule.DEFAULT}: /timezone Europe/Berlin changes that."
)
NONE = "There are no open promises here. This makes one: /remind in 10 minutes stretch your legs"

_REFUSALS = (Unclear, NotFound, WrongState)
_NUMBERS = 9
"""Digits of a number that anybody can mean."""


class Planner:
    """What people and the agent ask for. Answers are plain text, no Markdown: they hold people's own words."""

    def __init__(self, promises: Promises) -> None:
        self._promises = promises
        self._commands: dict[str, Callable[[Turn, str], Awaitable[str]]] = {
            "remind": self._remind,
            "every": self._every,
            "promises": self._list,
            "cancel": self._cancel,
            "timezone": self._timezone,
        }

    def knows(self, command: str) -> bool:
        """The command is about promises."""
        return command in self._commands

    async def answer(self, command: str, turn: Turn) -> str:
        """The answer to a command."""
        arguments = "".join(turn.message.text.split(maxsplit=1)[1:])
        try:
            return await self._commands[command](turn, arguments.strip())
        except _REFUSALS as error:
            return str(error)

    async def serve(
        self, turn: Turn, call: HostCall, arguments: dict[str, object], *, asked: bool
    ) -> dict[str, object]:
        """What the agent is told when it asks for a promise; `asked`: somebody wrote what the run is about."""
        try:
            wish = _wish(arguments, turn.accept_time, await self._zone(turn))
            if not asked:
                _check_rest(turn, wish)
            promise = await self._make(turn, wish, call.step, call.index)
        except _REFUSALS as error:
            return {"error": str(error)}
        return {"number": promise.number, "due": promise.shown_due, "recurs": promise.cron}

    async def _remind(self, turn: Turn, text: str) -> str:
        due, rest = remind.once(remind.without_me(text), turn.accept_time, await self._zone(turn))
        wish = Wish(remind.what(rest, remind.REMIND), due, kind=Kind.REMINDER)
        promise = await self._make(turn, wish)
        return await self._told(turn, f"I will remind you on {promise.shown_due}.", promise)

    async def _every(self, turn: Turn, text: str) -> str:
        cron, rest = remind.again(text)
        asked = remind.what(rest, remind.EVERY)
        due = schedule.next_run(cron, await self._zone(turn), turn.accept_time)
        reminded = remind.reminding(asked)
        wish = Wish(reminded or asked, due, cron, Kind.REMINDER if reminded else Kind.TASK)
        promise = await self._make(turn, wish)
        what = "remind you" if reminded else "do that"
        return await self._told(turn, f"I will {what} again and again, next on {promise.shown_due}.", promise)

    async def _list(self, turn: Turn, _text: str) -> str:
        found = await self._promises.list_promises(turn.person_id, _lane(turn))
        if not found:
            return NONE
        zone = await self._zone(turn)
        return "\n".join([f"Open promises, times in {zone}:", *(_line(promise) for promise in found)])

    async def _cancel(self, turn: Turn, text: str) -> str:
        number = text.removeprefix("#")
        if not (number.isascii() and number.isdigit() and len(number) <= _NUMBERS):
            raise Unclear(CANCEL)
        promise = await self._promises.cancel_promise(turn, int(number), _lane(turn))
        if promise is None:
            return f"There is no promise {int(number)} of yours here; /promises shows what there is."
        if promise.state is PromiseState.CANCELLED:
            return f"Promise {promise.number} is cancelled: {shortened(promise.text)}"
        return f"Promise {promise.number} is over already."

    async def _timezone(self, turn: Turn, text: str) -> str:
        if not text:
            zone = await self._promises.zone_of(turn.person_id)
            return f"Your time zone is {zone}." if zone else NO_ZONE
        zone = schedule.zone_named(text)
        if not zone:
            raise Unclear(TIMEZONE)
        await self._promises.set_zone(turn.person_id, zone)
        return f"Your time zone is {zone}: it is {schedule.show(turn.accept_time, zone)} there."

    async def _zone(self, turn: Turn) -> str:
        return await self._promises.zone_of(turn.person_id) or schedule.DEFAULT

    async def _make(self, turn: Turn, wish: Wish, step: int = 0, index: int = 0) -> Promise:
        promise = await self._promises.make_promise(turn, step, index, wish)
        log.info("promise_made", promise_id=promise.promise_id, recurs=bool(promise.cron))
        return promise

    async def _told(self, turn: Turn, sentence: str, promise: Promise) -> str:
        told = f"{sentence} This is promise {promise.number}; /cancel {promise.number} takes it back."
        return told if await self._promises.zone_of(turn.person_id) else f"{told}\n\n{NO_ZONE}"


def _check_rest(turn: Turn, wish: Wish) -> None:
    """A promise that makes promises must not do so faster than what recurs, or it would never come to rest."""
    if wish.due_time < turn.accept_time + schedule.SHORTEST:
        raise Unclear(
            f"What is promised while a promise is kept is due in {schedule.SHORTEST // 60} minutes at the earliest."
        )


def _wish(arguments: dict[str, object], now: float, zone: str) -> Wish:
    """What a host call asks for. Raises Unclear."""
    text, when, every = (str(arguments.get(name) or "").strip() for name in ("what", "when", "every"))
    if not text or len(text) > LONGEST:
        raise Unclear(f"what is to be promised must be said, in {LONGEST:,} characters at most.")
    if every:
        cron, rest = remind.again(every)
        due = schedule.next_run(cron, zone, now)
    else:
        cron = ""
        due, rest = remind.once(when or "now", now, zone)
    if rest.strip():
        raise Unclear(f"“{shortened(rest)}” is no part of a time; a time looks like this: in 10 minutes")
    return Wish(
        text=text,
        due_time=due,
        cron=cron,
        kind=Kind.REMINDER if arguments.get("reminder") is True else Kind.TASK,
        priority=_within(arguments, "priority", rules.PRIORITIES, rules.PRIORITY),
        minutes=_within(arguments, "minutes", rules.MINUTES_ALLOWED, rules.MINUTES),
        waits_for=_numbers(arguments.get("waits_for")),
    )


def _within(arguments: dict[str, object], name: str, allowed: range, usual: int) -> int:
    value = arguments.get(name, usual)
    if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
        raise Unclear(f"{name} is a number from {allowed[0]} to {allowed[-1]}.")
    return value


def _numbers(value: object) -> tuple[int, ...]:
    found = value if isinstance(value, list) else [] if value is None else [value]
    if len(found) > 10 or not all(isinstance(one, int) and 0 < one < 10**_NUMBERS for one in found):
        raise Unclear("waits_for is a list of at most 10 numbers of promises.")
    return tuple(found)


def _lane(turn: Turn) -> str | None:
    """Whose promises may be seen here: in private all of a person's, elsewhere those of this chat and topic."""
    return None if turn.message.chat_type is ChatType.PRIVATE else turn.message.lane


def _line(promise: Promise) -> str:
    now = promise.state is PromiseState.RUNNING
    when = "now" if now else schedule.show(promise.due_time, promise.zone)
    notes = [f"again at {promise.cron}"] if promise.cron else []
    notes += [f"waits for {', '.join(str(number) for number in promise.waits_for)}"] if promise.waits_for else []
    notes += [f"in {shortened(promise.place)}"] if promise.place else []
    noted = f" ({'; '.join(notes)})" if notes else ""
    return f"{promise.number}. {when}: {shortened(promise.text)}{noted}"
