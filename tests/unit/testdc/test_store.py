import sqlite3
from pathlib import Path

import pytest

from services.testdc.keys import Keys
from services.testdc.model import Action
from services.testdc.store import FolderError, Store
from services.testdc.world import World
from tests.support.sandbox import copied


def test_a_world_is_the_same_after_a_sudden_death(tmp_path: Path) -> None:
    world = World(tmp_path / "old")
    bot, anna, ben = world.add_bot("Echo", "77:token"), world.add_user("Anna", "anna_k"), world.add_user("Ben")
    group = world.add_group("Team", bot, anna, ben, admins=[bot])
    basic = world.add_group("Old", bot, anna, kind="basic")
    world.block(ben, bot)
    question = world.say(anna, bot, "hello @echo_bot", media="voice")
    answer = world.publish(bot, anna, "hi", reply_to=question, random_id=5)
    world.posts.remember(answer)
    world.edit(bot, answer, "hi!")
    world.react(anna, answer, "👍")
    world.delete(anna, world.say(anna, group, "gone"))
    world.leave(ben, group)
    hash_before = world.people.access_hash(bot.id, anna.id)
    world.store.commit()

    again = World(copied(tmp_path / "old", tmp_path / "new"))
    assert {one.id: one for one in again.people.accounts()} == {one.id: one for one in (bot, anna, ben)}
    assert (again.people.group(group.id).members, again.people.group(group.id).admins) == ({bot.id, anna.id}, {bot.id})
    assert again.people.group(basic.id).kind == "basic"
    assert again.people.is_blocked(ben.id, bot.id)
    assert again.people.access_hash(bot.id, anna.id) == hash_before
    assert again.people.by_token("77:token") == bot
    assert list(again.record.all()) == list(world.record.all())
    assert again.view(anna, bot) == world.view(anna, bot)
    assert again.boxes.events(bot.id, 1, 99) == world.boxes.events(bot.id, 1, 99)
    assert again.boxes.reactions(bot.id, 0) == world.boxes.reactions(bot.id, 0)
    assert again.posts.sent_with(bot.id, anna.id, 5) == world.posts.get(answer.id)
    assert [again.boxes.state(box) for box in (bot.id, anna.id, group.id)] == [
        world.boxes.state(box) for box in (bot.id, anna.id, group.id)
    ]
    assert again.add_user("Cleo").id not in {anna.id, ben.id}
    assert again.add_group("New").id not in {group.id, basic.id}
    again.close()
    world.close()


def test_what_was_not_committed_is_gone_as_a_whole(tmp_path: Path) -> None:
    world = World(tmp_path / "old")
    bot, anna = world.add_bot("Echo"), world.add_user("Anna")
    world.say(anna, bot, "kept")
    world.store.commit()
    world.say(anna, bot, "lost")
    again = World(copied(tmp_path / "old", tmp_path / "new"))
    assert [seen.text for seen in again.view(anna, bot).messages] == ["kept"]
    assert [action.text for action in again.record.all()] == ["kept"]
    assert again.boxes.state(bot.id).pts == 2
    again.close()
    world.close()


def test_keys_and_the_server_key_survive(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = Keys(store)
    fingerprint = keys.server_key().fingerprint
    secret, other = keys.provision(7), keys.add(b"k" * 256)
    keys.forget(other)
    store.close()
    store = Store(tmp_path)
    again = Keys(store)
    assert again.server_key().fingerprint == fingerprint
    assert [(key.cipher.key, key.account) for key in again] == [(secret, 7)]
    store.close()


def test_two_sandboxes_cannot_share_a_folder(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(FolderError, match="in use by another sandbox"):
        Store(tmp_path)
    store.close()
    Store(tmp_path).close()


def test_a_file_that_is_no_world_is_refused(tmp_path: Path) -> None:
    (tmp_path / "world.sqlite").write_text("shopping list, and long enough to be no header at all")
    with pytest.raises(FolderError, match="no world"):
        Store(tmp_path)


def test_a_world_of_another_version_is_refused(tmp_path: Path) -> None:
    Store(tmp_path).close()
    database = sqlite3.connect(tmp_path / "world.sqlite")
    database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(FolderError, match="version 99"):
        Store(tmp_path)


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="cannot be used"):
        Store(tmp_path / "file")


def test_nobody_else_may_read_the_world(tmp_path: Path) -> None:
    Store(tmp_path).close()
    assert (tmp_path / "world.sqlite").stat().st_mode & 0o777 == 0o600


def test_the_record_is_read_page_by_page_from_anywhere() -> None:
    world = World()
    anna, ben = world.add_user("Anna"), world.add_user("Ben")
    for number in range(1200):
        world.say(anna, ben, str(number))
    assert [action.text for action in world.record.all()] == [str(n) for n in range(1200)]
    assert [action.seq for action in world.record.since(1190)] == list(range(1191, 1201))
    assert len(world.record.since(0, 10)) == 10
    world.close()


async def test_a_waiter_is_woken_by_the_next_action() -> None:
    world = World()
    anna, ben = world.add_user("Anna"), world.add_user("Ben")
    world.say(anna, ben, "before")

    def fits(action: Action) -> bool:
        return action.text != ""

    assert (await world.wait_for(fits, since=0)).text == "before"
    with pytest.raises(TimeoutError):
        await world.wait_for(fits, limit=0.01)
    world.close()
