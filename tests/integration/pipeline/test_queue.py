"""What waits: who is too fast, wake-ups that never come, turns that were given up."""

import asyncio
from pathlib import Path

import pytest

from services.chassis.database import Database
from services.chassis.errors import InvalidArgument, NotFound, WrongState
from services.pipeline import dispatch, failures, follow
from tests.integration.pipeline.house import ADA, GROUP, LIMIT, MEMBERS, House, message, until
from tests.support.scripted_agent import Act, echo, fails, hang
from valor.pipeline.v1 import pipeline_pb2 as pb

REFUSED = WrongState("too many", reason="STEP_LIMIT")


async def test_a_flood_is_answered_whole_in_order_and_slower_with_one_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F37."""
    monkeypatch.setattr(dispatch, "POLL", 0.05)
    async with House(tmp_path, rate_per_minute=12).open() as house:
        for number in range(1, 15):
            await house.pipeline.submit(message(f"{number}", number=number))
        await house.ask("hello", chat=MEMBERS[0])
        assert (await house.pipeline.turn(14)).state == pb.TURN_STATE_WAITING
        await house.pipeline.until(14, "done")
        texts = house.channel.texts()
        assert [text for text in texts if text.startswith("answer")] == [f"answer to {n}" for n in range(1, 15)]
        assert [text for text in texts if not text.startswith("answer")] == [
            "You are writing faster than I can take it. I will answer everything, in order, just more slowly."
        ]


async def test_a_flood_of_one_person_in_a_group_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async with House(tmp_path, rate_per_minute=2).open() as house:
        for number in (1, 2, 3):
            await house.pipeline.submit(message(f"@valor_bot {number}", chat=GROUP, number=number))
        await house.ask("@valor_bot hello", chat=GROUP, user=MEMBERS[0], number=4)
        assert (await house.pipeline.turn(3, GROUP)).state == pb.TURN_STATE_WAITING


@pytest.mark.parametrize(
    ("refused", "state"), [("nothing", "done"), ("You are writing faster", "done"), ("answer to 13", "failed")]
)
async def test_the_notice_of_a_flood_is_no_part_of_the_answer(
    tmp_path: Path, refused: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "POLL", 0.05)
    async with House(tmp_path, rate_per_minute=12).open() as house:
        house.channel.refuse = lambda part: "NO" if part.text.startswith(refused) else ""
        for number in range(1, 14):
            await house.pipeline.submit(message(f"{number}", number=number))
        turn = await house.pipeline.until(13, state)
        assert any(part.text.startswith("You are writing faster") for part in house.channel.parts())
        notices = [post.message_id for post in house.channel.posts if post.texts[0].startswith("You are writing")]
        assert not set(turn.answer_message_ids) & set(notices)


async def test_turns_start_within_one_poll_when_every_wake_up_is_lost(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F29."""
    monkeypatch.setattr(Database, "_tell", lambda *_: None)
    monkeypatch.setattr(follow, "POLL", 0.1)
    await house.unfollow()
    house.follow()
    for number in (1, 2):
        await house.ask("hello", number=number)
        turn = await house.pipeline.turn(number)
        waited = turn.start_time.ToMilliseconds() - turn.accept_time.ToMilliseconds()
        assert waited <= 1000 * (dispatch.POLL + 1)


async def test_no_more_turns_run_than_there_is_room_for_and_all_get_their_turn(tmp_path: Path) -> None:
    running: list[int] = []
    full = asyncio.Event()

    async def count(act: Act) -> str:
        running.append(len(house.agent.running()))
        if running[-1] == 3:
            full.set()
        await full.wait()
        return act.question

    async with House(tmp_path, capacity=3).open() as house:
        house.agent.script = count
        await asyncio.gather(*(house.ask("hello", chat=chat) for chat in MEMBERS))
    assert max(running) == 3


async def test_the_queue_tells_how_much_waits_and_for_how_long(house: House) -> None:
    """F95."""
    assert await house.pipeline.queue() == pb.GetQueueResponse()
    house.channel.go.clear()
    house.agent.on("first", hang)
    await house.pipeline.submit(message("other", chat=MEMBERS[0]))
    for number, text in enumerate(["first", "second", "third"], start=1):
        await house.pipeline.submit(message(text, number=number))
    await house.pipeline.until(1, "answering", MEMBERS[0])
    queue = await house.pipeline.queue()
    assert (queue.waiting, queue.running, queue.undelivered, queue.dead) == (2, 1, 1, 0)
    assert queue.oldest_waiting_seconds == 0.0  # a lane that works is not claimable


async def test_only_the_receipt_of_its_answer_ends_a_turn(house: House) -> None:
    """F21. A channel that does nothing leaves it open, as an agent that does nothing does, and the queue says so."""
    house.channel.go.clear()
    house.agent.on("idle", hang)
    await house.pipeline.submit(message("hello"))
    await house.pipeline.submit(message("idle", chat=MEMBERS[0]))
    await house.pipeline.until(1, "answering")
    await until(house.agent.running)
    queue = await house.pipeline.queue()
    assert (queue.running, queue.undelivered) == (1, 1)
    await house.service.restart()
    await until(house.agent.running)
    assert (await house.pipeline.turn(1)).state == pb.TURN_STATE_ANSWERING
    assert (await house.pipeline.turn(1, MEMBERS[0])).state == pb.TURN_STATE_RUNNING
    house.channel.go.set()
    await house.pipeline.until(1, "done")
    assert house.channel.texts() == ["answer to hello"]


async def test_a_process_that_sheds_begins_no_turn_until_it_is_through(house: House) -> None:
    """Whatever another replica, or this one later, takes up: nothing is refused, and what runs is not disturbed."""
    house.agent.on("first", hang)
    await house.pipeline.submit(message("first"))
    await until(house.agent.running)
    await house.health.shed(on=True)
    await house.pipeline.submit(message("second", chat=MEMBERS[0]))
    async with asyncio.timeout(LIMIT):
        while (queue := await house.pipeline.queue()).oldest_waiting_seconds < dispatch.POLL:
            await asyncio.sleep(0.01)
    assert (queue.claimable, queue.running) == (1, 1)
    await house.health.shed(on=False)
    await house.pipeline.until(1, "done", MEMBERS[0])
    assert (await house.pipeline.turn(1)).state == pb.TURN_STATE_RUNNING


async def test_what_can_be_claimed_and_is_not_has_an_age(tmp_path: Path) -> None:
    """F21. From this age the health score falls: `tests/unit/monitor/test_score.py`."""
    async with House(tmp_path, capacity=1).open() as house:
        house.agent.script = hang
        await house.pipeline.submit(message())
        await until(house.agent.running)
        await house.pipeline.submit(message(chat=MEMBERS[0]))
        await asyncio.sleep(0.05)
        assert 0.05 <= (await house.pipeline.queue()).oldest_waiting_seconds < 5


async def give_up(house: House, count: int) -> list[str]:
    """Fail turns; their ids, newest first."""
    house.agent.script = fails(REFUSED)
    ids: list[str] = []
    for number in range(1, count + 1):
        response = await house.pipeline.submit(message(f"{number}", number=number))
        await house.pipeline.until(number, "failed")
        ids.insert(0, response.turn_id)
    await until(lambda: len(house.channel.posts) == count)
    return ids


async def test_dead_letters_are_listed_page_by_page_newest_first(house: House) -> None:
    ids = await give_up(house, 5)
    found, token, pages = [], "", 0
    while True:
        page = await house.pipeline.dead(2, token)
        found += [letter.turn_id for letter in page.dead_letters]
        token, pages = page.next_page_token, pages + 1
        if not token:
            break
    assert (found, pages) == (ids, 3)
    everything = await house.pipeline.dead(10_000)
    assert [letter.turn_id for letter in everything.dead_letters] == ids
    letter = everything.dead_letters[0]
    assert (letter.reason, letter.cause, letter.message_id) == ("STEP_LIMIT", "too many", 5)
    assert (letter.account.account_id, letter.address.chat_id) == (42, ADA)
    assert letter.create_time.ToSeconds() > 0


@pytest.mark.parametrize(
    ("size", "token", "field"), [(-1, "", "page_size"), (1, "x", "page_token"), (1, "-5", "page_token")]
)
async def test_a_page_that_cannot_be_is_refused_by_name(house: House, size: int, token: str, field: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        await house.pipeline.dead(size, token)
    assert error.value.field == field


async def test_a_dead_turn_is_replayed_once(house: House) -> None:
    (turn_id,) = await give_up(house, 1)
    house.agent.script = echo
    turns = await asyncio.gather(*(house.pipeline.replay(turn_id) for _ in range(2)), return_exceptions=True)
    assert pb.TURN_STATE_WAITING in {turn.state for turn in turns if isinstance(turn, pb.Turn)}
    turn = await house.pipeline.until(1, "done")
    assert house.channel.texts() == [failures.WORDS["STEP_LIMIT"], "answer to 1"]
    assert (await house.pipeline.dead()).dead_letters == []
    assert turn.reason == ""
    assert len(house.agent.acts) == 2
    with pytest.raises(WrongState):
        await house.pipeline.replay(turn_id)


async def test_a_replay_that_fails_again_is_a_dead_letter_again(house: House) -> None:
    (turn_id,) = await give_up(house, 1)
    await house.pipeline.replay(turn_id)
    await until(lambda: len(house.agent.acts) == 2)
    await house.pipeline.until(1, "failed")
    assert [letter.turn_id for letter in (await house.pipeline.dead()).dead_letters] == [turn_id]


async def test_what_could_not_be_delivered_is_answered_again_when_it_is_replayed(house: House) -> None:
    house.channel.refuse = lambda part: "CHAT_WRITE_FORBIDDEN" if part.text.startswith("answer") else ""
    response = await house.pipeline.submit(message("hello"))
    await house.pipeline.until(1, "failed")
    house.channel.refuse = lambda _: ""
    await until(lambda: house.rows("SELECT id FROM parts WHERE receipt_id IS NULL AND error IS NULL") == [])
    await house.pipeline.replay(response.turn_id)
    turn = await house.pipeline.until(1, "done")
    assert house.channel.texts() == [failures.WORDS["UNDELIVERABLE"], "answer to hello"]
    assert len(turn.answer_message_ids) == 1


async def test_a_replayed_turn_is_told_what_was_said_before_its_question_and_nothing_later(house: House) -> None:
    house.agent.on("second", fails(REFUSED), echo)
    await house.ask("first", number=1)
    response = await house.pipeline.submit(message("second", number=2))
    await house.pipeline.until(2, "failed")
    await house.ask("third", number=3)
    await house.pipeline.replay(response.turn_id)
    await house.pipeline.until(2, "done")
    assert house.agent.acts[-1].history == ["first", "answer to first"]


@pytest.mark.parametrize("state", ["running", "answering", "done", "cancelled"])
async def test_only_a_failed_turn_is_replayed(house: House, state: str) -> None:
    if state in {"running", "cancelled"}:
        house.agent.script = hang
    if state == "answering":
        house.channel.go.clear()
    response = await house.pipeline.submit(message())
    if state == "cancelled":
        await house.pipeline.delete(1)
    await house.pipeline.until(1, state)
    with pytest.raises(WrongState, match=state):
        await house.pipeline.replay(response.turn_id)


async def test_a_turn_that_is_not_there_is_not_replayed(house: House) -> None:
    with pytest.raises(NotFound):
        await house.pipeline.replay("999")
    with pytest.raises(InvalidArgument):
        await house.pipeline.replay("one")
