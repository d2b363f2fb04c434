"""What a stream hands out, and when."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

import pytest

from services.chassis.errors import LostOwnership, Unavailable
from services.pipeline import follow
from services.pipeline.follow import Due, Event, Followers
from services.pipeline.model import Account, Address, Part, PartKind, Preview, Typing
from services.pipeline.ports import Parts

ACCOUNT = Account("telegram", 42)
LANE = "telegram:42:8:0"
PART = Part(1, 1, ACCOUNT, Address(8), PartKind.TEXT, "text", (), 5, 0, 0, "")
DRAFT = Preview(1, ACCOUNT, Address(8), "so far")


class Shelf:
    """Parts that are due."""

    def __init__(self, *parts: Part) -> None:
        self.parts = list(parts)
        self.looks = 0
        self.followers = Followers(cast("Parts", self))

    async def due(self, account: Account, _lanes: Iterable[str] | None) -> list[Part]:
        self.looks += 1
        assert account == ACCOUNT
        return list(self.parts)

    def stream(self) -> Any:
        return self.followers.follow(ACCOUNT)


async def soon(stream: Any) -> Event:
    async with asyncio.timeout(10):
        event: Event = await anext(stream)
        return event


async def nothing(stream: Any, seconds: float = 0.05) -> None:
    """Reading so ends the stream."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await anext(stream)


async def test_what_is_due_comes_first_and_once() -> None:
    shelf = Shelf(PART)
    stream = shelf.stream()
    assert await soon(stream) == Due(PART, possibly_sent=True)
    shelf.followers.look_at(LANE)
    shelf.parts.append(replace(PART, part_id=2))
    assert await soon(stream) == Due(replace(PART, part_id=2), possibly_sent=False)
    shelf.followers.look_at(LANE)
    await nothing(stream)


async def test_a_missed_part_is_found_within_a_poll_though_wake_ups_never_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """F29."""
    monkeypatch.setattr(follow, "POLL", 0.05)
    shelf = Shelf()
    stream = shelf.stream()

    async def chatter() -> None:
        while True:
            shelf.followers.show(DRAFT)
            await asyncio.sleep(0.001)

    talking = asyncio.create_task(chatter())
    await soon(stream)
    shelf.parts.append(PART)
    async with asyncio.timeout(10):
        while not isinstance(await anext(stream), Due):
            pass
    talking.cancel()
    await asyncio.wait([talking])


async def test_what_was_handed_out_is_forgotten_when_it_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """F74."""
    monkeypatch.setattr(follow, "POLL", 0.01)
    shelf = Shelf(PART)
    stream = shelf.stream()
    await soon(stream)
    shelf.parts.clear()
    reading = asyncio.create_task(anext(stream))
    follower = shelf.followers._followers["telegram:42"]
    async with asyncio.timeout(10):
        while follower._handed:
            await asyncio.sleep(0.001)
    reading.cancel()
    await asyncio.wait([reading])


async def test_no_frame_of_a_turn_follows_its_answer() -> None:
    """F16."""
    shelf = Shelf()
    stream = shelf.stream()
    reading = asyncio.create_task(anext(stream))
    await asyncio.sleep(0.01)
    shelf.followers.show(DRAFT)
    shelf.parts.append(PART)
    shelf.followers.look_at(LANE)
    assert await reading == DRAFT
    assert await soon(stream) == Due(PART, possibly_sent=False)


async def test_of_fleeting_events_the_latest_of_each_kind_and_turn_wins() -> None:
    shelf = Shelf()
    stream = shelf.stream()
    reading = asyncio.create_task(anext(stream))
    await asyncio.sleep(0.01)
    other = replace(DRAFT, turn_id=2)
    typing = Typing(1, ACCOUNT, Address(8))
    for event in (DRAFT, typing, other, replace(DRAFT, text="so far, so good")):
        shelf.followers.show(event)
    assert await reading == replace(DRAFT, text="so far, so good")
    assert [await soon(stream), await soon(stream)] == [typing, other]


async def test_without_a_stream_whatever_is_fleeting_is_dropped() -> None:
    shelf = Shelf()
    shelf.followers.show(DRAFT)
    shelf.followers.look_at(LANE)
    await nothing(shelf.stream())


async def test_a_newer_stream_ends_the_older_and_only_that() -> None:
    shelf = Shelf(PART)
    older, other = shelf.stream(), Followers(cast("Parts", shelf)).follow(ACCOUNT)
    await soon(older)
    await soon(other)
    newer = shelf.stream()
    assert await soon(newer) == Due(PART, possibly_sent=True)
    with pytest.raises(LostOwnership):
        await soon(older)
    shelf.parts.append(replace(PART, part_id=2))
    shelf.followers.look_at(LANE)
    assert await soon(newer) == Due(replace(PART, part_id=2), possibly_sent=False)


async def test_at_the_end_every_stream_is_told_to_come_again() -> None:
    shelf = Shelf()
    reading = asyncio.create_task(anext(shelf.stream()))
    await asyncio.sleep(0.01)
    shelf.followers.close()
    with pytest.raises(Unavailable):
        await reading
    with pytest.raises(Unavailable):
        await soon(shelf.stream())


async def test_a_quiet_stream_looks_seldom() -> None:
    shelf = Shelf()
    await nothing(shelf.stream(), 0.1)
    assert shelf.looks == 1
