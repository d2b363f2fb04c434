"""Promises as people meet them: commands, the agent's own, and what is posted when one is due."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.chassis.errors import WrongState
from services.pipeline import keep
from tests.integration.pipeline.house import ADA, GROUP, MEMBERS, OTHER_GROUP, OWNER, House, message, until
from tests.support.scripted_agent import Act, fails, hang


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep, "POLL", 0.02)


async def said(house: House, text: str, number: int, **fields: Any) -> str:
    """Say something that is answered in one message; that message."""
    chat = fields.get("chat", ADA)
    before = len(house.channel.texts(chat))
    await house.ask(text, number=number, **fields)
    return house.channel.texts(chat)[before]


def states(house: House) -> list[str]:
    return house.rows("SELECT state FROM promises ORDER BY id")


async def ended(house: House, *wanted: str) -> None:
    """The promises stand like this, and what that made us say was received."""
    await until(lambda: states(house) == list(wanted))
    await until(lambda: house.rows("SELECT COUNT(*) FROM parts WHERE receipt_id IS NULL AND error IS NULL") == [0])


async def test_a_reminder_is_posted_as_it_is_and_once_as_a_reply(house: House) -> None:
    """F18, F92."""
    answer = await said(house, "/remind now **call** Ada_B", 5)
    assert answer.startswith("I will remind you on ")
    assert "(UTC). This is promise 1; /cancel 1 takes it back." in answer
    assert "/timezone" in answer
    await ended(house, "kept")
    assert house.channel.texts()[1:] == ["Reminder: **call** Ada_B"]
    assert house.channel.posts[1].reply_to == 5
    assert house.agent.acts == []


async def test_a_reminder_in_a_topic_of_a_group_stays_there(house: House) -> None:
    """F17."""
    await house.ask("/remind@valor_bot now stand up", number=3, chat=GROUP, topic=77)
    await ended(house, "kept")
    assert house.channel.texts(GROUP, 77)[1:] == ["Reminder: stand up"]
    assert house.channel.posts[1].reply_to == 3


async def test_what_recurs_is_done_by_the_agent_who_is_told_that_it_is_a_promise(house: House) -> None:
    answer = await said(house, "/every day at 9:00 what is on today?", 1)
    assert "again and again, next on" in answer
    house.rows("UPDATE promises SET due_time = 1000000000")
    await until(lambda: len(house.channel.texts()) == 2)
    (act,) = house.agent.acts
    assert (act.question, act.start.promise.due_time.seconds) == ("what is on today?", 1_000_000_000)
    late = "(I kept this promise late: it was due on Sun 09 Sep 2001, 01:46 (UTC).)"
    assert house.channel.texts()[1] == f"{late}\n\nanswer to what is on today?"
    await ended(house, "waiting")
    (due,) = house.rows("SELECT due_time FROM promises")
    assert time.time() < due <= time.time() + 86_400
    assert house.rows("SELECT COUNT(*) FROM promise_runs") == [1]


async def test_operators_see_how_many_promises_wait(house: House) -> None:
    assert (await house.pipeline.queue()).promises == 0
    await house.ask("/every day at 9:00 news", number=1)
    await house.ask("/remind in 3 days stretch", number=2)
    await house.ask("/cancel 1", number=3)
    assert (await house.pipeline.queue()).promises == 1


async def test_what_recurs_may_be_a_reminder(house: House) -> None:
    await said(house, "/every monday 9:00 remind me of the stand-up", 1)
    house.rows(f"UPDATE promises SET due_time = {time.time()}")  # noqa: S608
    await until(lambda: len(house.channel.texts()) == 2)
    assert house.channel.texts()[1] == "Reminder: the stand-up"
    assert house.agent.acts == []


async def test_the_list_the_cancelling_and_the_time_zone(house: House) -> None:
    assert "no open promises" in await said(house, "/promises", 1)
    assert "count in UTC" in await said(house, "/timezone", 2)
    await house.ask("/every day at 9:00 news", number=3)
    await house.ask("/remind 2031-01-02 18:00 trip", number=4)
    assert "Europe/Berlin" in await said(house, "/timezone berlin", 5)
    listed = await said(house, "/promises", 6)
    first, second, third = listed.splitlines()
    assert first == "Open promises, times in Europe/Berlin:"
    assert second.startswith("1. ")
    assert second.endswith(", 09:00: news (again at 0 9 * * *)")  # it moved with the clock
    assert third == "2. Thu 02 Jan 2031, 19:00: trip"  # and this did not
    assert await said(house, "/cancel 2", 7) == "Promise 2 is cancelled: trip"
    assert await said(house, "/cancel #2", 8) == "Promise 2 is cancelled: trip"
    assert "no promise 9 of yours" in await said(house, "/cancel 9", 9)
    assert "such as: /cancel 3" in await said(house, "/cancel everything", 10)
    assert "such as: /timezone" in await said(house, "/timezone ../../etc/passwd", 11)
    assert "Your time zone is Europe/Berlin." in await said(house, "/timezone", 12)
    assert states(house) == ["waiting", "cancelled"]
    assert "stretch your legs" in await said(house, "/remind", 13)
    assert "such as:" in await said(house, "/every", 14)


async def test_nobody_sees_or_cancels_what_was_promised_to_others_or_elsewhere(house: House) -> None:
    await house.ask("/remind in 3 days secret", number=1)
    await house.ask("/remind@valor_bot in 3 days dinner", number=1, chat=GROUP, user=ADA)
    other = MEMBERS[0]
    assert "no open promises" in await said(house, "/promises", 2, chat=other)
    assert "no promise 1" in await said(house, "/cancel 1", 3, chat=other)
    in_group = await said(house, "/promises@valor_bot", 4, chat=GROUP, user=ADA)
    assert "dinner" in in_group
    assert "secret" not in in_group
    assert "no promise 1" in await said(house, "/cancel@valor_bot 1", 5, chat=GROUP, user=ADA)
    everything = await said(house, "/promises", 6)
    assert "secret" in everything
    assert "dinner" in everything
    assert states(house) == ["waiting", "waiting"]


async def promise(act: Act, index: int = 7, **arguments: Any) -> str:
    """Promise something; how that went."""
    promised = await act.host("make_promise", arguments, index=index)
    return str(promised.get("error") or f"promise {promised['number']}")


async def test_the_agent_answers_shortly_and_reports_back(house: House) -> None:
    """F92: what is promised leaves a row, and is kept."""
    house.agent.on("count and report back", lambda act: promise(act, what="count"))
    assert await said(house, "count and report back", 8) == "promise 1"
    await ended(house, "kept")
    assert house.channel.texts()[1:] == ["answer to count"]
    assert house.channel.posts[1].reply_to == 8
    act = house.agent.acts[1]
    assert act.start.HasField("promise")
    assert act.start.reply_to.text == "count and report back"
    assert act.history == ["count and report back", "promise 1"]
    assert not house.agent.acts[0].start.HasField("promise")


async def test_a_turn_that_is_begun_again_promises_once(house: House) -> None:
    """F10, F18."""

    async def twice(act: Act) -> str:
        if not act.start.checkpoints:
            await act.step(1, b"one")
        number = await promise(act, what="count", when="in 3 days")
        if len(house.agent.acts) == 1:
            await hang(act)
        return number

    house.agent.script = twice
    await house.pipeline.submit(message("count"))
    await until(lambda: states(house))
    await house.crash()
    await house.pipeline.until(1, "done")
    assert house.channel.texts() == ["promise 1"]
    assert states(house) == ["waiting"]


async def test_a_question_that_is_changed_drops_what_the_old_one_promised(house: House) -> None:
    async def old(act: Act) -> None:
        await promise(act, what="old", when="in 3 days")
        await hang(act)

    house.agent.on("old", old)
    house.agent.on("new", lambda act: promise(act, what="new", when="in 3 days"))
    request = message("old")
    await house.pipeline.submit(request)
    await until(lambda: states(house))
    await house.pipeline.edit(request, "new")
    await house.pipeline.until(1, "done")
    assert house.rows("SELECT payload, state FROM promises ORDER BY id") == [("old", "cancelled"), ("new", "waiting")]
    await house.pipeline.edit(request, "newer", version=3)  # that was answered already
    assert states(house) == ["cancelled", "waiting"]


async def test_what_a_changed_question_promised_for_now_is_not_done(house: House) -> None:
    """It begins when the answer tells of it, and there was none."""

    async def old(act: Act) -> None:
        await promise(act, what="old")
        await hang(act)

    house.agent.on("first", old)
    house.agent.on("second", lambda act: promise(act, what="new"))
    request = message("first")
    await house.pipeline.submit(request)
    await until(lambda: states(house))
    await house.pipeline.edit(request, "second")
    await ended(house, "cancelled", "kept")
    assert house.channel.texts() == ["promise 2", "answer to new"]


async def test_a_replay_promises_anew_and_once(house: House) -> None:
    async def unlucky(act: Act) -> str:
        number = await promise(act, what="dig", when="in 3 days")
        if len(house.agent.acts) == 1:
            raise WrongState("no", reason="STEP_LIMIT")
        return number

    house.agent.script = unlucky
    response = await house.pipeline.submit(message("plan"))
    await house.pipeline.until(1, "failed")
    await until(lambda: not house.rows("SELECT id FROM parts WHERE receipt_id IS NULL"))
    await house.pipeline.replay(response.turn_id)
    await house.pipeline.until(1, "done")
    assert states(house) == ["cancelled", "waiting"]


async def test_one_waits_for_another_whatever_their_priorities(house: House) -> None:
    go = asyncio.Event()

    async def first(act: Act) -> str:
        await go.wait()
        return "first"

    async def plan(act: Act) -> str:
        await promise(act, what="first")
        return await promise(act, 8, what="second", waits_for=[1], priority=10)

    house.agent.on("plan", plan)
    house.agent.on("first", first)
    await house.ask("plan")
    await ended(house, "running", "waiting")
    await house.ask("/promises", number=2, topic=5)
    assert [line[:7] for line in house.channel.texts(ADA, 5)[0].splitlines()[1:]] == ["1. now:", "2. " + today()]
    assert house.channel.texts(ADA, 5)[0].endswith("second (waits for 1)")
    go.set()
    await ended(house, "kept", "kept")
    assert house.channel.texts()[1:] == ["first", "answer to second"]


def today() -> str:
    return f"{time.strftime('%a', time.gmtime())} "


@pytest.mark.parametrize("why", ["failed", "cancelled"])
async def test_what_waited_for_something_that_was_not_kept_is_not_kept_either_and_says_so_at_once(
    house: House, why: str
) -> None:
    async def plan(act: Act) -> str:
        await promise(act, what="first", when="in 3 days")
        return await promise(act, 8, what="second", when="in 9 days", waits_for=[1])

    house.agent.on("plan", plan)
    house.agent.on("first", fails(WrongState("no", reason="STEP_LIMIT")))
    await house.ask("plan")
    if why == "cancelled":
        await house.ask("/cancel 1", number=2)
    else:
        house.rows("UPDATE promises SET due_time = 1 WHERE id = 1")
    await ended(house, why, "failed")
    assert house.channel.texts()[-1] == (
        "I could not keep promise 2 (“second”). It waited for promise 1, which was not kept."
    )
    if why == "failed":
        words = "I could not keep promise 1 (“first”). I worked on this for as many steps as I may"
        assert house.channel.texts()[-2].startswith(words)


async def test_of_what_is_due_in_a_chat_the_most_important_goes_first(house: House) -> None:
    async def plan(act: Act) -> str:
        await promise(act, 1, what="usual", when="in 3 days")
        await promise(act, 2, what="low", when="in 2 days", priority=1)
        return await promise(act, 3, what="high", when="in 4 days", priority=10)

    house.agent.on("plan", plan)
    await house.ask("plan")
    house.rows(f"UPDATE promises SET due_time = due_time - 5 * 86400 WHERE {time.time()} > 0")  # noqa: S608
    await ended(house, "kept", "kept", "kept")
    assert [act.question for act in house.agent.acts[1:]] == ["high", "usual", "low"]


async def test_a_promise_has_a_time_limit_of_its_own(house: House) -> None:
    house.agent.on("plan", lambda act: promise(act, what="dig", when="in 3 days"))
    house.agent.on("dig", hang)
    await house.ask("plan")
    house.rows("UPDATE promises SET minutes = 0, due_time = 1")
    await ended(house, "failed")
    assert house.channel.texts()[-1] == (
        "I could not keep promise 1 (“dig”). It took longer than the time that was set for it, so I stopped."
    )
    assert (await house.pipeline.dead()).dead_letters[0].reason == "PROMISE_TIMEOUT"


async def test_who_lost_access_is_promised_nothing_any_more(house: House) -> None:
    """F18: whoever may not ask may not have asked before either."""
    await house.ask("/every day at 9:00 news", number=1, chat=OTHER_GROUP, user=OWNER)
    house.rows("UPDATE chat_history SET user_id = 12345, username = ''")
    house.rows("UPDATE promises SET due_time = 1")
    await ended(house, "failed")
    assert house.channel.texts(OTHER_GROUP)[-1].endswith("Whoever asked for it may not talk to me any more.")
    assert house.agent.acts == []


async def test_stop_ends_a_run_and_what_recurs_comes_again(house: House) -> None:
    house.agent.script = hang
    await house.ask("/every day at 9:00 dig", number=1)
    house.rows("UPDATE promises SET due_time = 1")
    await until(house.agent.running)
    await house.ask("/stop", number=2)
    await ended(house, "waiting")
    await until(lambda: not house.agent.running())
    assert house.channel.texts()[1:] == ["Stopped."]


async def test_cancelling_from_elsewhere_stops_the_run(house: House) -> None:
    house.agent.on("dig", hang)
    await house.ask("/every@valor_bot day at 9:00 dig", number=1, chat=GROUP, user=ADA)
    house.rows("UPDATE promises SET due_time = 1")
    await until(house.agent.running)
    assert "is cancelled" in await said(house, "/cancel 1", 2)
    await until(lambda: not house.agent.running())
    assert states(house) == ["cancelled"]
    assert "no open promises" in await said(house, "/promises", 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "must be said"),
        ({"what": "x" * 1001}, "1,000 characters"),
        ({"what": "x", "when": "some day"}, "such as"),
        ({"what": "x", "when": "in 5 minutes or so"}, "“or so” is no part of a time"),
        ({"what": "x", "when": "yesterday"}, "such as"),
        ({"what": "x", "when": "2020-01-01 9:00"}, "is over"),
        ({"what": "x", "every": "second"}, "such as"),
        ({"what": "x", "every": "* * * * *"}, "more often than every 5 minutes"),
        ({"what": "x", "priority": 11}, "from 1 to 10"),
        ({"what": "x", "priority": True}, "from 1 to 10"),
        ({"what": "x", "minutes": "many"}, "from 1 to 120"),
        ({"what": "x", "waits_for": [7]}, "no promise 7"),
        ({"what": "x", "waits_for": ["7"]}, "list of at most 10"),
        ({"what": "x", "waits_for": list(range(1, 20))}, "list of at most 10"),
        ({"what": "x", "waits_for": 10**30}, "list of at most 10"),
    ],
)
async def test_what_the_agent_cannot_promise_it_is_told(house: House, arguments: dict[str, Any], words: str) -> None:
    async def plan(act: Act) -> str:
        return str((await act.host("make_promise", arguments))["error"])

    house.agent.script = plan
    assert words in await said(house, "plan", 1)
    assert states(house) == []


async def test_nothing_waits_for_what_recurs(house: House) -> None:
    await house.ask("/every day at 9:00 news", number=1)
    house.agent.script = lambda act: promise(act, what="x", waits_for=[1])
    assert "never over" in await said(house, "plan", 2)


async def test_a_promise_that_promises_itself_anew_comes_to_rest(house: House) -> None:
    """F97: no endless work of its own making."""
    tried: list[str] = []

    async def again(act: Act) -> str:
        tried.append(await promise(act, what="again", when="" if not tried else "now"))
        return tried[-1]

    house.agent.script = again
    await house.ask("again")
    await ended(house, "kept")
    assert "5 minutes at the earliest" in tried[1]


async def test_a_person_has_so_many_open_promises_at_most(house: House) -> None:
    async def plan(act: Act) -> str:
        for index in range(100):
            assert "promise" in await promise(act, index, what="x", when="in 3 days", reminder=True)
        return await promise(act, 100, what="x", when="in 3 days")

    house.agent.on("plan", plan)
    assert "100 open promises" in await said(house, "plan", 1)
    assert "100 open promises" in await said(house, "/remind in 3 days x", 2)
    await house.ask("/cancel 50", number=3)
    assert "promise 101;" in await said(house, "/remind in 3 days x", 4)
    await house.ask("/promises", number=5)
    assert sum(text.count("\n") + 1 for text in house.channel.texts()[4:]) >= 101


Step = Callable[[House], Awaitable[None]]


async def begun(house: House) -> None:
    """The promise's turn waits behind another one."""
    house.agent.on("long", hang)
    await house.pipeline.submit(message("long", number=2))
    await until(house.agent.running)
    house.rows("UPDATE promises SET due_time = 1")
    await ended(house, "running")


async def running(house: House) -> None:
    house.rows("UPDATE promises SET due_time = 1")
    await until(lambda: [act.acknowledged for act in house.agent.running()] == [[1]])


async def written(house: House) -> None:
    house.channel.go.clear()
    house.agent.script = quick
    house.rows("UPDATE promises SET due_time = 1")
    await until(lambda: len(house.channel.posts) == 2)  # sent, and not known to be received


async def received(house: House) -> None:
    house.agent.script = quick
    house.rows("UPDATE promises SET due_time = 1")
    await ended(house, "kept")


async def quick(act: Act) -> str:
    return "found it"


async def slow(act: Act) -> str:
    if not act.start.checkpoints:
        await act.step(1, b"one")
        await hang(act)
    return "found it"


@pytest.mark.parametrize("step", [begun, running, written, received], ids=lambda step: step.__name__)
async def test_whenever_it_is_killed_the_result_is_posted_exactly_once(house: House, step: Step) -> None:
    """F10, F15, F18."""
    house.agent.on("plan", lambda act: promise(act, what="dig", when="in 3 days"))
    house.agent.script = slow
    await house.ask("plan")
    await step(house)
    house.agent.script = slow if step is running else quick
    house.agent.on("long", quick)
    await house.crash()
    house.channel.go.set()
    await ended(house, "kept")
    results = [post.texts for post in house.channel.posts if post.reply_to == 1]
    assert [texts[-1].splitlines()[-1] for texts in results] == ["found it"]
    assert house.channel.blind == []
