"""Boxes, pushes and differences together: nothing is lost, nothing is out of order, nothing goes deaf."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chassis.errors import Exhausted, Unavailable
from services.telegram import receive
from services.telegram.inbox import Inbox
from services.telegram.metrics import TOO_LONG
from services.telegram.model import (
    Away,
    Change,
    Cursor,
    FloodWait,
    Incoming,
    LoggedOut,
    Push,
    Refused,
    Slice,
    channel_chat_id,
)
from services.telegram.receive import Receiver
from tests.unit.telegram.stubs import StubPipeline, StubStore, StubTelegram, nobody

TEAM, CLUB = 5, 6


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GAP", "AGAIN", "SICK", "STALLED"):
        monkeypatch.setattr(receive, name, 0.001)


@dataclass
class House:
    """A receiver between a Telegram and a pipeline."""

    telegram: StubTelegram = field(default_factory=StubTelegram)
    pipeline: StubPipeline = field(default_factory=StubPipeline)
    store: StubStore = field(default_factory=lambda: StubStore(read=Cursor(1, 0, 0)))

    @asynccontextmanager
    async def open(self, *, read: bool = True) -> AsyncIterator["House"]:
        self.inbox = Inbox(self.pipeline, self.store)
        self.receiver = Receiver(self.telegram, self.store, self.inbox)
        await self.receiver.load()
        self.running = asyncio.create_task(self.receiver.run())
        if read:
            async with asyncio.timeout(10):
                await self.receiver.reconciled()
        try:
            yield self
        finally:
            self.running.cancel()
            await asyncio.wait([self.running])
            await self.inbox.close()

    async def push(self, *changes: Change) -> None:
        try:
            await self.receiver.push(Push(changes=changes))
        except Unavailable:  # as `Intake` does
            self.receiver.lose()

    def texts(self, box: int = 0) -> list[str]:
        """What the pipeline took of a box, in the order in which it did."""
        found = [
            m.text for m, _ in self.pipeline.submitted if (m.chat_id == channel_chat_id(box) if box else m.box == 0)
        ]
        return list(dict.fromkeys(found))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_what_was_written_before_the_first_start_is_not_read_and_the_place_is_kept_first() -> None:
    house = House(store=StubStore())
    house.telegram.write("before")
    house.telegram.hold[0] = asyncio.Event()
    async with house.open(read=False):
        await until(lambda: house.store.read == Cursor(2, 0, 1))
        house.telegram.write("after")
    house.telegram.hold.clear()
    async with house.open():
        assert house.texts() == ["after"]


async def test_a_push_that_comes_before_the_first_reading_does_not_skip_what_a_supergroup_said_before() -> None:
    """Covers F25: a push to a known supergroup must not move its cursor."""
    house = House(store=StubStore(read=Cursor(1, 0, 0), boxes={TEAM: 1}))
    house.telegram.names = False
    house.telegram.write("missed", TEAM)
    house.telegram.hold[0] = asyncio.Event()
    async with house.open(read=False):
        await house.push(house.telegram.write("pushed", TEAM))
        house.telegram.hold[0].set()
        await until(lambda: house.texts(TEAM) == ["missed", "pushed"])


async def test_a_new_supergroup_that_the_difference_names_is_read_from_its_beginning() -> None:
    """Covers F20: the bot was added while it was away; a push that comes first must not hide what was said before."""
    house = House()
    house.telegram.write("missed", TEAM)
    house.telegram.hold[0] = asyncio.Event()
    async with house.open(read=False):
        await house.push(house.telegram.write("pushed", TEAM))
        house.telegram.hold[0].set()
        await until(lambda: house.texts(TEAM) == ["missed", "pushed"])


async def test_a_new_supergroup_that_nobody_names_is_read_from_its_first_push_on() -> None:
    house = House()
    house.telegram.names = False
    house.telegram.write("long ago", TEAM)
    house.telegram.hold[0] = asyncio.Event()
    async with house.open(read=False):
        await house.push(house.telegram.write("one", TEAM))
        await house.push(house.telegram.write("two", TEAM))
        house.telegram.hold[0].set()
        await until(lambda: house.texts(TEAM) == ["one", "two"])
        assert house.store.boxes[TEAM] == 2


async def test_pushes_of_a_new_supergroup_are_held_while_it_is_read() -> None:
    house = House()
    house.telegram.hold[TEAM] = asyncio.Event()
    async with house.open():
        for number in range(5):
            house.telegram.write(f"missed {number}", TEAM)
        await house.receiver.push(Push(stale_channels=(TEAM,)))
        await until(lambda: house.telegram.asked[-1][0] == TEAM)
        await house.push(house.telegram.write("pushed", TEAM))
        house.telegram.hold[TEAM].set()
        await house.receiver.reconciled()
        await until(lambda: len(house.texts(TEAM)) == 6)
        assert house.texts(TEAM) == [*(f"missed {number}" for number in range(5)), "pushed"]


async def test_a_connection_lost_while_a_supergroup_is_read_makes_it_read_again() -> None:
    house = House(store=StubStore(read=Cursor(1, 0, 0), boxes={TEAM: 1}))
    async with house.open():
        house.telegram.names = False
        house.telegram.hold[TEAM] = asyncio.Event()
        house.receiver.lose()
        await until(lambda: house.telegram.asked[-1][0] == TEAM)
        await asyncio.sleep(0)
        house.telegram.write("in between", TEAM)
        house.receiver.lose()
        house.telegram.hold[TEAM].set()
        await until(lambda: house.texts(TEAM) == ["in between"])


@pytest.mark.parametrize(
    "error", [Away("no answer"), Refused("SOMETHING_NEW"), Unavailable("The disk is full."), FloodWait(0.0)]
)
@pytest.mark.parametrize("box", [0, TEAM])
async def test_a_reading_that_fails_is_made_again(error: Exception, box: int) -> None:
    house = House()
    async with house.open():
        house.telegram.fail[box] = [error]
        house.telegram.write("hello", box)
        await house.receiver.push(Push(stale=True))
        await until(lambda: house.texts(box) == ["hello"])
        assert not house.running.done()


async def test_a_lost_login_ends_the_reading() -> None:
    house = House()
    async with house.open():
        house.telegram.fail[0] = [LoggedOut("AUTH_KEY_UNREGISTERED")]
        await house.receiver.push(Push(stale=True))
        await asyncio.wait([house.running])
        assert isinstance(house.running.exception(), LoggedOut)


async def test_a_supergroup_in_a_flood_wait_is_left_alone_until_it_ends() -> None:
    """Covers F48."""
    house = House()
    async with house.open():
        house.telegram.fail[TEAM] = [FloodWait(0.2)]
        house.telegram.write("patience", TEAM)
        await house.receiver.push(Push(stale=True))
        await until(lambda: (TEAM, 1) in house.telegram.asked)
        for text in ("one", "two"):
            await house.push(house.telegram.write(text))
            await house.receiver.reconciled()
        assert house.texts() == ["one", "two"]
        assert [box for box, _ in house.telegram.asked].count(TEAM) == 1
        await until(lambda: house.texts(TEAM) == ["patience"])


async def test_who_waits_for_a_supergroup_in_a_flood_wait_asks_for_nothing_else_meanwhile() -> None:
    """Covers F48: questions that cannot help would end in a flood wait of the account's own difference."""
    house = House(store=StubStore(read=Cursor(1, 0, 0), boxes={TEAM: 1}))
    async with house.open():
        house.telegram.fail[TEAM] = [FloodWait(0.2)]
        before = len(house.telegram.asked)
        await house.receiver.reconciled(channel_chat_id(TEAM))
        assert [box for box, _ in house.telegram.asked[before:]].count(0) <= 3


async def test_a_supergroup_that_gets_no_answer_holds_up_no_other_and_is_read_when_it_does() -> None:
    house = House(store=StubStore(read=Cursor(1, 0, 0), boxes={TEAM: 1, CLUB: 1}))
    house.telegram.fail[TEAM] = [Away("PERSISTENT_TIMESTAMP_OUTDATED")] * 1000
    for box in (0, TEAM, CLUB):
        house.telegram.write("missed", box)
    async with house.open(read=False):
        async with asyncio.timeout(10):
            await house.receiver.reconciled()
        assert (house.texts(), house.texts(CLUB), house.texts(TEAM)) == (["missed"], ["missed"], [])
        assert house.store.read == Cursor(2, 0, 3)
        house.telegram.fail.clear()
        await until(lambda: house.texts(TEAM) == ["missed"])


FLOODER, OTHER = 7, 9


def full(message: Incoming) -> None:
    """There is no room for one person's messages."""
    if message.chat_id == FLOODER:
        raise Exhausted("PERSON_QUEUE_FULL", retry_after=0.01)


async def test_a_person_the_pipeline_has_no_room_for_holds_up_nobody_and_the_cursor_waits() -> None:
    """Covers F20, F37."""
    house = House(store=StubStore(read=Cursor(1), boxes={TEAM: 1}))
    house.pipeline.refuse = full
    house.telegram.write("too much", chat=FLOODER)
    house.telegram.write("missed", TEAM)
    async with house.open():
        house.receiver.lose()
        await house.push(house.telegram.write("hello", chat=OTHER))
        await house.receiver.reconciled()
        await until(lambda: (house.texts(), house.texts(TEAM)) == (["hello"], ["missed"]))
        assert (house.store.read, house.store.boxes) == (Cursor(1), {TEAM: 2})
        house.pipeline.refuse = nobody
        await until(lambda: house.texts() == ["hello", "too much"])
        await house.receiver.reconciled()
        assert house.store.read == Cursor(3, 0, 3)


async def test_what_was_read_and_not_kept_is_read_again_by_the_next_life_in_its_order() -> None:
    """Covers F20."""
    house = House()
    house.pipeline.refuse = full
    texts = [str(number) for number in range(7)]
    for text in texts:
        house.telegram.write(text, chat=FLOODER)
    async with house.open():
        assert (house.texts(), house.store.read) == ([], Cursor(1, 0, 0))
    house.pipeline.refuse = nobody
    async with house.open():
        await until(lambda: house.texts() == texts)
        await house.receiver.reconciled()
        assert house.store.read == Cursor(8, 0, 7)


async def test_who_asks_about_a_chat_gets_its_box_read_although_nobody_names_it() -> None:
    """Covers F9: a message sent to a supergroup stands in the supergroup's own difference."""
    house = House()
    async with house.open():
        await house.push(house.telegram.write("hello", TEAM))
        await house.receiver.reconciled()
        house.telegram.names = False
        before = len(house.telegram.asked)
        house.inbox.forget(TEAM)
        await house.receiver.reconciled(channel_chat_id(TEAM))
        assert [box for box, _ in house.telegram.asked[before:]] == [0, TEAM]


async def test_what_is_on_its_way_is_bounded_and_pushes_that_were_let_go_come_with_the_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Covers F37."""
    monkeypatch.setattr(receive, "BACKLOG", 20)
    house = House()
    async with house.open():
        house.pipeline.go.clear()
        texts = [f"{number}" for number in range(500)]
        for number, text in enumerate(texts):
            await house.push(house.telegram.write(text, box=(0, TEAM)[number % 2]))
            await asyncio.sleep(0)
            assert house.inbox.waiting <= 20 + house.telegram.piece + 2
        house.pipeline.go.set()
        await until(lambda: len(house.texts()) + len(house.texts(TEAM)) == 500)
        assert (house.texts(), house.texts(TEAM)) == (texts[::2], texts[1::2])


async def test_pushes_that_a_box_had_no_room_for_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.telegram.model.HELD", 5)
    house = House()
    house.telegram.hold[0] = asyncio.Event()
    async with house.open(read=False):
        await until(lambda: house.telegram.asked)
        texts = [str(number) for number in range(30)]
        for text in texts:
            await house.push(house.telegram.write(text))
        house.telegram.hold[0].set()
        await until(lambda: house.texts() == texts)


async def test_telegram_not_knowing_what_happened_is_an_alarm_and_the_cursor_goes_on() -> None:
    house = House()
    answers = [Slice(pts=50, final=False, cursor=Cursor(50, 0, 0), too_long=True)]
    ask = house.telegram.difference

    async def difference(cursor: Cursor) -> Slice:
        return answers.pop() if answers else await ask(cursor)

    house.telegram.difference = difference  # type: ignore[method-assign]
    before = TOO_LONG._value.get()
    async with house.open():
        assert TOO_LONG._value.get() == before + 1
        assert house.store.read is not None
        assert house.store.read.pts == 50


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, TEAM, CLUB]),
        st.sampled_from(["push", "push", "lose it", "hold it", "twice", "cut", "slow", "read", "kill", "disk"]),
    ),
    max_size=25,
)


@dataclass
class Story:
    """What is written, and what becomes of its pushes."""

    house: House
    written: dict[int, list[str]] = field(default_factory=lambda: {0: [], TEAM: [], CLUB: []})
    held: list[Change] = field(default_factory=list)

    async def play(self, box: int, what: str) -> None:
        if what == "cut":
            self.house.receiver.lose()
        elif what == "read":
            await asyncio.sleep(0.002)
        elif what == "disk":
            self.house.store.fail.append(Unavailable("The disk is full."))
        elif what == "slow":
            go = self.house.pipeline.go
            (go.clear if go.is_set() else go.set)()
        else:
            first = box == CLUB and not self.written[CLUB]
            await self.write(box, "push" if first else what)  # nobody can miss the first push of an unknown supergroup
        await asyncio.sleep(0)

    async def write(self, box: int, what: str) -> None:
        text = str(sum(map(len, self.written.values())))
        change = self.house.telegram.write(text, box)
        self.written[box].append(text)
        if what == "hold it":
            self.held.append(change)
        for one in {"push": [change], "twice": [change, change]}.get(what, []):
            await self.house.push(one)

    async def end(self) -> None:
        self.house.pipeline.go.set()
        await self.house.push(*reversed(self.held))
        self.house.receiver.lose()
        await self.house.receiver.reconciled()
        await until(lambda: self.house.inbox.waiting == 0)


def lives(steps: list[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    """The steps between kills."""
    found: list[list[tuple[int, str]]] = [[]]
    for box, what in steps:
        if what == "kill":
            found.append([])
        else:
            found[-1].append((box, what))
    return found


@given(STEPS, st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_whatever_happens_to_pushes_connections_and_us_everything_arrives_in_order(
    steps: list[tuple[int, str]], piece: int
) -> None:
    """Covers F20, F25, F52."""

    async def scenario() -> None:
        store = StubStore(read=Cursor(1, 0, 0), boxes={TEAM: 1})
        story = Story(House(telegram=StubTelegram(piece=piece), store=store))
        for life in lives(steps):
            async with story.house.open(read=False):
                for step in life:
                    await story.play(*step)
        async with story.house.open(read=False):
            await story.end()
        assert {box: story.house.texts(box) for box in story.written} == story.written

    asyncio.run(scenario())
