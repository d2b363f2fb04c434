"""Everything that people write reaches the pipeline, once and in order, whatever Telegram and the network do."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from telethon.tl import TLObject

from services.telegram import __main__ as main
from services.telegram import receive
from services.telegram.adapters import client, translate
from services.telegram.model import Box
from services.testdc.api import render
from services.testdc.faults import DROP_BEFORE, delay, error
from services.testdc.model import Account, Group, Post
from tests.integration.telegram.scene import LIMIT, Scene, metric, quiet
from tests.support.sandbox import until
from valor.pipeline.v1 import pipeline_pb2 as pb

MANY = [str(number) for number in range(30)]


@pytest.fixture
def team(scene: Scene, anna: Account, bob: Account) -> Group:
    return scene.dc.world.add_group("Team", anna, bob, scene.bot)


@pytest.fixture
def _watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is checked every minute is checked at once."""
    monkeypatch.setattr(receive, "VERIFY", 0.2)


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "GRACE", 0.05)
    monkeypatch.setattr(client, "PATIENCE", 0.4)


# -- the plain way -----------------------------------------------------------------------------------------------------
async def test_a_message_arrives_with_all_that_telegram_says_of_it(scene: Scene, anna: Account) -> None:
    async with scene.telegram():
        first = scene.say(anna, "first")
        scene.say(anna, "see 😀 /help", reply_to=first)
        await scene.received(anna.id, "first", "see 😀 /help")
    message = scene.pipeline.kept[anna.id, 2]
    assert (message.account.account_id, message.account.channel) == (scene.bot.id, "telegram")
    assert message.account.username == (scene.bot.username or "")
    assert message.chat_type == pb.CHAT_TYPE_PRIVATE
    assert (message.sender.user_id, message.sender.name, message.sender.bot) == (anna.id, "Anna", False)
    assert (message.reply_to_message_id, message.kind) == (1, "text")
    assert [(e.type, e.offset, e.length) for e in message.entities] == [("bot_command", 7, 5)]
    assert message.send_time.seconds > 1_700_000_000


@pytest.mark.parametrize("kind", ["basic", "supergroup"])
async def test_a_group_message_names_its_chat_and_its_writer(scene: Scene, anna: Account, kind: Any) -> None:
    group = scene.dc.world.add_group("Team", anna, scene.bot, kind=kind)
    async with scene.telegram():
        scene.say(anna, "hello", group)
        await scene.received(group.id, "hello")
    (message,) = scene.pipeline.kept.values()
    assert message.address.chat_id == group.id
    assert message.chat_title == "Team"
    assert message.sender.user_id == anna.id
    assert message.chat_type == {"basic": pb.CHAT_TYPE_GROUP, "supergroup": pb.CHAT_TYPE_SUPERGROUP}[kind]


@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("where", ["private", "supergroup"])
async def test_edits_and_deletions_arrive_pushed_or_by_the_difference(
    scene: Scene, anna: Account, team: Group, *, online: bool, where: str
) -> None:
    """Covers F38, F53."""
    chat, box = (scene.bot, anna.id) if where == "private" else (team, team.id)
    async with scene.telegram():
        posts = [scene.say(anna, text, chat) for text in ("edit me", "delete me")]
        await scene.received(box, "edit me", "delete me")
        if not online:
            scene.dc.refuse()
            scene.dc.kill_connections()
        scene.dc.world.edit(anna, posts[0], "edited")
        scene.dc.world.delete(anna, posts[1])
        await scene.dc.accept()
        await scene.received(box, "edited", "delete me")
        await until(lambda: scene.pipeline.deleted == {(box, 2)})


async def test_the_bots_own_messages_are_never_handed_over(scene: Scene, anna: Account, team: Group) -> None:
    """Covers F1."""
    async with scene.telegram():
        scene.say(anna, "one", team)
        await scene.delivered(*(scene.pipeline.send(chat, "mine") for chat in (anna.id, team.id)))
        scene.dc.kill_connections()
        scene.say(anna, "two", team)
        await scene.received(team.id, "one", "two")
    async with scene.telegram():
        assert {message.sender.user_id for message in scene.pipeline.submissions} == {anna.id}


async def test_a_reaction_that_telegram_tells_as_an_edit_changes_nothing(scene: Scene, anna: Account) -> None:
    """Covers F11."""
    scene.dc.world.limits.invisible_edits = True
    async with scene.telegram():
        post = scene.say(anna, "hello")
        await scene.received(anna.id, "hello")
        version = scene.pipeline.kept[anna.id, 1].version
        scene.dc.world.react(anna, post, "👍")
        scene.say(anna, "after")
        await scene.received(anna.id, "hello", "after")
    async with scene.telegram():
        assert scene.pipeline.kept[anna.id, 1].version == version


async def test_users_without_a_usable_key_are_known_by_name_and_no_key_is_kept(
    scene: Scene, anna: Account, team: Group
) -> None:
    scene.dc.world.limits.min_users = True
    async with scene.telegram():
        scene.say(anna, "hello", team)
        await scene.received(team.id, "hello")
        assert scene.pipeline.kept[team.id, 1].sender.name == "Anna"
        assert scene.rows("SELECT chat_id FROM peers") == [team.id]
        scene.say(anna, "in private")
        await scene.received(anna.id, "in private")
        assert await scene.delivered(scene.pipeline.send(anna.id, "hi")) == [2]


async def test_an_old_qts_of_telegrams_does_no_harm(scene: Scene, anna: Account) -> None:
    scene.dc.world.limits.state_qts = 0
    async with scene.telegram():
        for text in ("one", "two"):
            scene.dc.world.react(anna, scene.say(anna, text), "👍")
        await scene.received(anna.id, "one", "two")
        scene.dc.kill_connections()
        scene.say(anna, "three")
        await scene.received(anna.id, "one", "two", "three")


# -- the cursor --------------------------------------------------------------------------------------------------------
async def test_the_first_start_reads_nothing_old_and_everything_since(scene: Scene, anna: Account) -> None:
    """Covers F23."""
    scene.say(anna, "long ago")
    async with scene.telegram():
        assert scene.cursor == scene.dc.world.boxes.state(scene.bot.id).pts
    scene.say(anna, "while it was away")
    async with scene.telegram():
        await scene.received(anna.id, "while it was away")


async def test_what_is_written_once_it_serves_is_not_missed_on_a_first_start(scene: Scene, anna: Account) -> None:
    """It serves when there is a cursor, not when it is logged in."""
    scene.dc.faults.add("updates.getState", delay(0.3), times=None)
    async with scene.telegram(wait=False) as vitals:
        await vitals.online()
        scene.say(anna, "am I the first?")
        await scene.received(anna.id, "am I the first?")


async def test_a_backlog_is_read_in_slices_and_in_order(scene: Scene, anna: Account, bob: Account) -> None:
    """Covers F22, F24."""
    async with scene.telegram():
        pass
    scene.dc.world.limits.difference_slice = 150
    texts = [str(number) for number in range(1000)]
    for text in texts:
        for person in (anna, bob):
            scene.say(person, text)
    async with scene.telegram():
        assert scene.pipeline.texts(anna.id) == texts
        assert scene.pipeline.texts(bob.id) == texts
        assert len(scene.pipeline.submissions) == 2000


@pytest.mark.usefixtures("_hasty")
async def test_the_cursor_never_passes_what_the_pipeline_has_not_taken(scene: Scene, anna: Account) -> None:
    """Covers F20."""
    async with scene.telegram():
        before = scene.cursor
        scene.pipeline.go.clear()
        for text in MANY:
            scene.say(anna, text)
        await until(lambda: scene.pipeline.calls["SubmitMessage"])
        scene.dc.delivery.push_too_long(scene.bot)
        await scene.place.down()
        assert scene.cursor == before
        assert scene.pipeline.kept == {}
    scene.pipeline.go.set()
    await scene.place.up()
    async with scene.telegram():
        await scene.received(anna.id, *MANY)
        assert scene.cursor == before + len(MANY)


@pytest.mark.usefixtures("_hasty")
async def test_a_stop_right_after_messages_came_loses_none(scene: Scene, anna: Account) -> None:
    """Covers F51."""
    async with scene.telegram():
        scene.pipeline.go.clear()
        for text in MANY[:5]:
            scene.say(anna, text)
        await until(lambda: scene.pipeline.calls["SubmitMessage"])
    scene.pipeline.go.set()
    async with scene.telegram():
        await scene.received(anna.id, *MANY[:5])


async def test_while_the_pipeline_is_away_nothing_is_lost_and_order_holds(
    scene: Scene, anna: Account, bob: Account, team: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Covers F37."""
    monkeypatch.setattr(receive, "BACKLOG", 40)
    async with scene.telegram():
        scene.say(anna, "first")
        await scene.received(anna.id, "first")
        scene.pipeline.away = True
        for text in MANY:
            scene.say(anna, text)
            scene.say(bob, text)
            scene.say(anna, text, team)
            await quiet(0.005)
        await scene.place.down()
        scene.pipeline.away = False
        await scene.place.up()
        await scene.received(anna.id, "first", *MANY)
        await scene.received(bob.id, *MANY)
        await scene.received(team.id, *MANY)


async def test_what_the_pipeline_refuses_is_buried_and_the_cursor_goes_on(scene: Scene, anna: Account) -> None:
    scene.pipeline.refuse = lambda request: getattr(request, "text", "") == "poison"
    async with scene.telegram():
        before = metric("telegram_dead_letters_total")
        for text in ("one", "poison", "two"):
            scene.say(anna, text)
        await scene.received(anna.id, "one", "two")
        await until(lambda: metric("telegram_dead_letters_total") == before + 1)
    async with scene.telegram():  # read again by the difference: the same letter
        assert scene.cursor == scene.dc.world.boxes.state(scene.bot.id).pts
        await until(lambda: scene.pipeline.poison)
        await until(lambda: scene.rows("SELECT reported FROM dead_letters") == [1])
    (letter,) = scene.rows("SELECT message FROM dead_letters")
    assert "poison" in letter
    assert metric("telegram_dead_letters_total") == before + 1
    (report,) = scene.pipeline.poison
    assert (report.content, report.cause) == (letter, "The pipeline does not like it.")
    assert (report.submission.text, report.submission.address.chat_id) == ("poison", anna.id)


async def test_a_full_pipeline_gets_everything_later_in_order(scene: Scene, anna: Account, bob: Account) -> None:
    """Covers F37."""
    async with scene.telegram():
        scene.say(anna, "first")
        await scene.received(anna.id, "first")
        scene.pipeline.full = 3
        for text in MANY:
            scene.say(anna, text)
            scene.say(bob, text)
        await scene.received(anna.id, "first", *MANY)
        await scene.received(bob.id, *MANY)


async def test_a_person_whose_queue_is_full_holds_up_nobody_and_loses_nothing(
    scene: Scene, anna: Account, bob: Account, team: Group
) -> None:
    """Covers F20, F37. Neither after a reconnect nor after a restart, neither messages nor answers."""
    async with scene.telegram():
        scene.say(bob, "first", team)
        await scene.received(team.id, "first")
    before = scene.cursor
    scene.pipeline.crowded = {anna.id}
    scene.say(anna, "too much")
    async with scene.telegram():
        assert await scene.delivered(scene.pipeline.send(bob.id, "answer")) == [2]
        scene.dc.kill_connections()
        scene.say(anna, "far too much")
        scene.say(bob, "hello")
        scene.say(bob, "second", team)
        await scene.received(bob.id, "hello")
        await scene.received(team.id, "first", "second")
        assert scene.cursor == before
        assert scene.pipeline.texts(anna.id) == []
    scene.pipeline.crowded = set()
    async with scene.telegram():
        await scene.received(anna.id, "too much", "far too much")
        assert scene.cursor == scene.dc.world.boxes.state(scene.bot.id).pts


# -- pushes that go wrong ----------------------------------------------------------------------------------------------
async def test_the_same_update_by_every_way_at_once_is_one_message(scene: Scene, anna: Account, team: Group) -> None:
    """Covers F2."""
    scene.dc.delivery.faults.duplicate = True
    async with scene.telegram():
        for text in MANY:
            scene.say(anna, text)
            scene.say(anna, text, team)
            scene.dc.delivery.push_too_long(scene.bot)
            scene.dc.delivery.push_too_long(scene.bot, team)
            await quiet(0)
        await scene.received(anna.id, *MANY)
        await scene.received(team.id, *MANY)
    async with scene.telegram():
        pass
    versions = {(m.address.chat_id, m.message_id, m.text) for m in scene.pipeline.submissions}
    assert len(versions) == 2 * len(MANY)


@pytest.mark.usefixtures("_watchful")
@pytest.mark.parametrize("where", ["private", "supergroup"])
async def test_pushes_of_a_chat_that_are_silently_lost_are_found(
    scene: Scene, anna: Account, bob: Account, team: Group, where: str
) -> None:
    """Covers F25."""
    chat, box = (scene.bot, anna.id) if where == "private" else (team, team.id)
    async with scene.telegram():
        scene.say(anna, "first", chat)
        await scene.received(box, "first")
        scene.dc.delivery.faults.drop(5, box)
        for text in MANY[:5]:
            scene.say(anna, text, chat)
        await scene.received(box, "first", *MANY[:5])
        scene.say(anna, "last", chat)
        await scene.received(box, "first", *MANY[:5], "last")


async def test_pushes_of_a_chat_that_are_silently_lost_are_found_after_a_restart(
    scene: Scene, anna: Account, bob: Account, team: Group
) -> None:
    """Covers F25."""
    async with scene.telegram():
        for chat in (scene.bot, team):
            scene.say(anna, "first", chat)
        await scene.received(team.id, "first")
        scene.dc.delivery.faults.drop(10)
        for text in MANY[:5]:
            scene.say(anna, text)
            scene.say(anna, text, team)
    async with scene.telegram():
        await scene.received(anna.id, "first", *MANY[:5])
        await scene.received(team.id, "first", *MANY[:5])


@pytest.mark.parametrize("reverse", [True, False])
async def test_pushes_that_come_late_or_reversed_or_twice_keep_the_order_of_a_chat(
    scene: Scene, anna: Account, bob: Account, team: Group, *, reverse: bool
) -> None:
    scene.dc.delivery.faults.duplicate = True
    async with scene.telegram():
        scene.say(anna, "first", team)
        await scene.received(team.id, "first")
        scene.dc.delivery.faults.hold()
        for text in MANY:
            for person, chat in ((anna, scene.bot), (bob, scene.bot), (anna, team)):
                scene.say(person, text, chat)
        scene.dc.delivery.faults.release(reverse=reverse)
        await scene.received(anna.id, *MANY)
        await scene.received(bob.id, *MANY)
        await scene.received(team.id, "first", *MANY)


@pytest.mark.parametrize("where", ["private", "supergroup"])
async def test_a_gap_is_closed_after_half_a_second_and_nothing_overtakes_it(
    scene: Scene, anna: Account, team: Group, where: str
) -> None:
    chat, box = (scene.bot, anna.id) if where == "private" else (team, team.id)
    async with scene.telegram():
        scene.say(anna, "first", chat)
        await scene.received(box, "first")
        gaps = metric("telegram_update_gaps_total")
        scene.dc.delivery.faults.drop(1)
        for text in ("lost", "next"):
            scene.say(anna, text, chat)
        await quiet(0.1)
        assert scene.pipeline.texts(box) == ["first"]
        await scene.received(box, "first", "lost", "next")
        assert metric("telegram_update_gaps_total") > gaps


async def test_telegrams_word_that_there_is_more_is_taken(scene: Scene, anna: Account, team: Group) -> None:
    async with scene.telegram():
        for chat, push in ((scene.bot, None), (team, team)):
            box = anna.id if chat is scene.bot else team.id
            scene.say(anna, "first", chat)
            await scene.received(box, "first")
            scene.dc.delivery.faults.drop(1)
            scene.say(anna, "lost", chat)
            scene.dc.delivery.push_too_long(scene.bot, push)
            await scene.received(box, "first", "lost")


async def test_a_gap_too_long_for_telegram_is_an_alarm_and_the_account_goes_on(
    scene: Scene, anna: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    async with scene.telegram():
        pass
    before = metric("telegram_difference_too_long_total")
    scene.dc.world.limits.box_size = 10
    for text in MANY:
        scene.say(anna, text)
    async with scene.telegram():
        assert scene.cursor == scene.dc.world.boxes.state(scene.bot.id).pts
        scene.say(anna, "after")
        await scene.received(anna.id, "after")
    assert metric("telegram_difference_too_long_total") == before + 1
    assert "difference_too_long" in capsys.readouterr().out


async def test_a_supergroups_gap_too_long_for_telegram_is_an_alarm_and_its_last_message_is_kept(
    scene: Scene, anna: Account, team: Group, capsys: pytest.CaptureFixture[str]
) -> None:
    async with scene.telegram():
        scene.say(anna, "first", team)
        await scene.received(team.id, "first")
        before = metric("telegram_difference_too_long_total")
        scene.dc.world.limits.channel_box_size = 10
        scene.dc.delivery.faults.drop(30, team.id)
        for text in MANY:
            scene.say(anna, text, team)
        scene.dc.delivery.push_too_long(scene.bot, team)
        await scene.received(team.id, "first", MANY[-1])
        scene.say(anna, "after", team)
        await scene.received(team.id, "first", MANY[-1], "after")
    assert metric("telegram_difference_too_long_total") == before + 1
    assert "difference_too_long" in capsys.readouterr().out


async def test_a_cursor_that_telegram_does_not_know_is_an_alarm_and_the_account_goes_on(
    scene: Scene, anna: Account, team: Group
) -> None:
    async with scene.telegram():
        scene.say(anna, "first", team)
        await scene.received(team.id, "first")
    async with scene.store() as store:
        await store._database.write(lambda tx: tx.run("UPDATE cursor SET pts = 1000000"))
    before = metric("telegram_difference_too_long_total")
    async with scene.telegram():
        assert metric("telegram_difference_too_long_total") >= before + 1
        scene.say(anna, "private")
        scene.say(anna, "second", team)
        await scene.received(anna.id, "private")
        await scene.received(team.id, "first", "second")


# -- groups that come and go -------------------------------------------------------------------------------------------
async def test_what_was_said_in_a_group_that_the_bot_was_added_to_while_away_arrives(
    scene: Scene, anna: Account
) -> None:
    """Covers F20."""
    async with scene.telegram():
        pass
    group = scene.dc.world.add_group("New", anna, scene.bot)
    for text in ("one", "two"):
        scene.say(anna, text, group)
    scene.dc.faults.add("updates.getDifference", *[_delay() for _ in range(3)])
    async with scene.telegram(wait=False) as vitals:
        await vitals.online()
        scene.say(anna, "three", group)  # its push comes before the first difference
        await scene.received(group.id, "one", "two", "three")


def _delay() -> Any:
    return delay(0.2)


async def test_a_group_that_the_bot_had_to_leave_holds_up_nobody(scene: Scene, anna: Account, team: Group) -> None:
    async with scene.telegram():
        scene.say(anna, "hello", team)
        await scene.received(team.id, "hello")
        scene.dc.world.leave(scene.bot, team)
        scene.dc.kill_connections()
        scene.say(anna, "private")
        await scene.received(anna.id, "private")
        scene.dc.world.join(scene.bot, team)
        scene.say(anna, "again", team)
        await until(lambda: scene.pipeline.texts(team.id)[-1] == "again", LIMIT)


@pytest.mark.parametrize("reason", ["USER_BANNED_IN_CHANNEL", "CHANNEL_PRIVATE", "A_WORD_OF_TOMORROW"])
async def test_a_supergroup_that_telegram_does_not_show_holds_up_nobody(
    scene: Scene, anna: Account, team: Group, reason: str
) -> None:
    async with scene.telegram():
        scene.say(anna, "hello", team)
        await scene.received(team.id, "hello")
        scene.dc.faults.add("updates.getChannelDifference", error(400, reason), times=None)
        scene.dc.kill_connections()
        scene.say(anna, "missed")
        await scene.received(anna.id, "missed")
        scene.say(anna, "pushed")
        await scene.received(anna.id, "missed", "pushed")


async def test_a_supergroup_that_gets_no_answer_holds_up_no_other_chat_and_no_answer(
    scene: Scene, anna: Account, team: Group
) -> None:
    async with scene.telegram():
        scene.say(anna, "hello", team)
        await scene.received(team.id, "hello")
    fault = error(500, "PERSISTENT_TIMESTAMP_OUTDATED")
    scene.dc.faults.add("updates.getChannelDifference", fault, times=None)
    scene.say(anna, "missed")
    async with scene.telegram():
        await scene.received(anna.id, "missed")
        assert await scene.delivered(scene.pipeline.send(anna.id, "answer")) == [2]


async def test_a_supergroup_whose_reading_was_cut_is_read_on_the_next_connection_at_once(
    scene: Scene, anna: Account, team: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "SICK", 2 * LIMIT)
    async with scene.telegram():
        scene.say(anna, "hello", team)
        await scene.received(team.id, "hello")
        scene.dc.faults.add("updates.getChannelDifference", DROP_BEFORE)
        scene.dc.kill_connections()
        scene.say(anna, "missed", team)
        await scene.received(team.id, "hello", "missed")


# -- what nobody can read ----------------------------------------------------------------------------------------------
class Strange(TLObject):  # type: ignore[misc] # Telethon is untyped
    """Something that the library of the client does not know."""

    def _bytes(self) -> bytes:
        return b"\xde\xad\xbe\xef"


def strange_if(is_strange: Callable[[Post], bool]) -> Any:
    """How the world shows messages, but for some."""
    plain = render.message

    def message(world: Any, viewer: Any, post: Post, **options: Any) -> Any:
        return Strange() if is_strange(post) else plain(world, viewer, post, **options)

    return message


@pytest.mark.usefixtures("_watchful", "_hasty")
async def test_unknown_bytes_pushed_alone_or_beside_an_answer_lose_nothing(scene: Scene, anna: Account) -> None:
    """Covers F55."""
    async with scene.telegram() as vitals:
        scene.dc.delivery.push_raw(scene.bot, b"\xde\xad\xbe\xef")
        scene.say(anna, "alone")
        await scene.received(anna.id, "alone")
        scene.dc.delivery.push_raw(scene.bot, b"\xde\xad\xbe\xef", with_answer=True)
        part = scene.pipeline.send(anna.id, "answer")
        scene.say(anna, "beside")
        await scene.received(anna.id, "alone", "beside")
        assert await scene.delivered(part) != [""]
        assert scene.seen(anna) == ["answer"]
        assert vitals.said == [False, True]


@pytest.mark.usefixtures("_watchful")
@pytest.mark.parametrize("where", ["private", "supergroup"])
async def test_a_message_that_nobody_can_read_is_buried_and_everything_around_it_arrives(
    scene: Scene, anna: Account, team: Group, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Covers F55: unknown bytes inside a difference."""
    chat, box = (scene.bot, anna.id) if where == "private" else (team, team.id)
    monkeypatch.setattr(render, "message", strange_if(lambda post: post.text == "strange"))
    async with scene.telegram():
        for text in ("one", "strange", "two"):
            scene.say(anna, text, chat)
        await scene.received(box, "one", "two")
        scene.say(anna, "three", chat)
        await scene.received(box, "one", "two", "three")
        scene.say(anna, "strange", chat)
        scene.say(anna, "four", chat)
        await scene.received(box, "one", "two", "three", "four")
    assert len(scene.rows("SELECT * FROM dead_letters")) == 2


@pytest.mark.parametrize("rule", [(translate, "push"), (translate, "change"), (Box, "offer")])
async def test_a_rule_that_breaks_costs_one_reading_and_not_the_connection(
    scene: Scene, anna: Account, rule: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Covers F56. Whatever our own code does with a push, the difference brings its content."""
    real, broken = getattr(*rule), 1

    def break_once(*arguments: Any, **options: Any) -> Any:
        nonlocal broken
        if broken:
            broken -= 1
            raise ZeroDivisionError
        return real(*arguments, **options)

    async with scene.telegram() as vitals:
        scene.say(anna, "before")
        await scene.received(anna.id, "before")
        monkeypatch.setattr(*rule, break_once)
        for text in MANY[:3]:
            scene.say(anna, text)
        await scene.received(anna.id, "before", *MANY[:3])
        assert broken == 0
        assert scene.dc.accepted == 1
        assert vitals.said == [False, True]


async def test_many_people_leave_little_behind(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Covers F74."""
    monkeypatch.setattr("services.telegram.adapters.intake.PEERS", 100)
    people = [scene.dc.world.add_user(f"Person {number}") for number in range(500)]
    async with scene.telegram():
        for turn in range(4):
            for person in people:
                scene.say(person, f"hello {turn}")
            await until(lambda turn=turn: len(scene.pipeline.kept) == (turn + 1) * len(people))  # type: ignore[misc]
        loops = [task for task in asyncio.all_tasks() if "Client._update_loop" in repr(task)]
        intake = loops[0].get_coro().cr_frame.f_locals["self"]._on_updates.__self__  # type: ignore[union-attr]
        assert len(intake._known) <= 100
        await until(lambda: intake._receiver._inbox.waiting == 0)
        assert intake._receiver._boxes.keys() == {0}
