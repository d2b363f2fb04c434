from collections.abc import Iterator

import pytest

from services.testdc.boxes import FIRST_PTS
from services.testdc.model import Account, Draft, Event, Group, Post, RpcFail
from services.testdc.world import World


class Clock:
    now = 1_700_000_000.5

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> Iterator[World]:
    world = World(clock=clock)
    yield world
    world.close()


@pytest.fixture
def bot(world: World) -> Account:
    return world.add_bot("Echo")


@pytest.fixture
def anna(world: World) -> Account:
    return world.add_user("Anna", "anna_k")


@pytest.fixture
def ben(world: World) -> Account:
    return world.add_user("Ben")


def texts(world: World, person: Account, chat: Account | Group) -> list[str]:
    return [seen.text for seen in world.view(person, chat).messages]


# -- who there is
def test_ids_do_not_fit_into_32_bits_and_tokens_look_like_tokens(bot: Account, anna: Account) -> None:
    assert bot.id > 1 << 32
    assert anna.id > 1 << 32
    assert bot.token.startswith(f"{bot.id}:")
    assert len(bot.token.split(":")[1]) == 35


def test_the_same_token_is_the_same_bot(world: World) -> None:
    first = world.add_bot("Echo", "42:secret")
    assert world.add_bot("Other name", "42:secret") == first
    assert first.id == 42
    with pytest.raises(RpcFail, match="ACCESS_TOKEN_INVALID"):
        world.add_bot("Thief", "42:other")


def test_usernames_belong_to_one_account(world: World, anna: Account) -> None:
    with pytest.raises(RpcFail, match="USERNAME_OCCUPIED"):
        world.add_user("Other", "ANNA_K")
    assert world.add_bot("Echo").username != world.add_bot("Echo").username


def test_a_refused_account_leaves_no_trace(world: World, anna: Account) -> None:
    before = world.people.accounts()
    with pytest.raises(RpcFail):
        world.add_user("Other", "anna_k")
    assert world.people.accounts() == before


def test_every_viewer_has_another_access_hash(world: World, bot: Account, anna: Account, ben: Account) -> None:
    hashes = {world.people.access_hash(viewer.id, anna.id) for viewer in (bot, anna, ben)}
    assert len(hashes) == 3


# -- message ids
def test_private_chats_and_basic_groups_count_ids_per_account(
    world: World, bot: Account, anna: Account, ben: Account
) -> None:
    basic = world.add_group("Old", bot, anna, kind="basic")
    world.say(ben, bot, "moves the ids of the bot alone")
    private, in_group = world.say(anna, bot, "one"), world.say(anna, basic, "two")
    assert [private.message_id(who.id) for who in (anna, bot)] == [1, 2]
    assert [in_group.message_id(who.id) for who in (anna, bot)] == [2, 3]
    with pytest.raises(KeyError):
        private.message_id(ben.id)


def test_a_supergroup_counts_ids_of_its_own(world: World, bot: Account, anna: Account) -> None:
    world.say(anna, bot, "private")
    group = world.add_group("Team", bot, anna)
    post = world.say(anna, group, "first")
    assert post.message_id(anna.id) == post.message_id(bot.id) == 1


def test_every_event_moves_pts_by_one_in_every_box_that_has_the_message(
    world: World, bot: Account, anna: Account
) -> None:
    happened: list[Event] = []
    world.deliver = lambda events: happened.extend(event for event in events if isinstance(event, Event))
    post = world.say(anna, bot, "one")
    world.edit(anna, post, "two")
    world.delete(anna, post)
    of_bot = [(event.kind, event.pts) for event in happened if event.box == bot.id]
    assert of_bot == [("new", FIRST_PTS + 1), ("edit", FIRST_PTS + 2), ("delete", FIRST_PTS + 3)]
    assert world.boxes.state(anna.id).pts == world.boxes.state(bot.id).pts == FIRST_PTS + 3


def test_deletions_at_once_are_delivered_together(world: World, bot: Account, anna: Account) -> None:
    posts = [world.say(anna, bot, text) for text in "abc"]
    delivered: list[int] = []
    world.deliver = lambda events: delivered.append(len(events))
    world.delete(anna, *posts)
    assert delivered == [3, 3]


# -- what one may do
def test_people_say_what_and_as_much_as_they_like(world: World, bot: Account, anna: Account) -> None:
    for text in ("", " ", "x" * 100_000, "😀" * 5000):
        assert world.say(anna, bot, text).text == text


def test_who_left_a_group_can_neither_write_nor_gets_new_messages(
    world: World, bot: Account, anna: Account, ben: Account
) -> None:
    basic = world.add_group("Old", bot, anna, ben, kind="basic")
    world.say(anna, basic, "with Ben")
    world.leave(ben, basic)
    world.say(anna, basic, "without Ben")
    assert texts(world, ben, basic) == ["with Ben"]
    assert texts(world, anna, basic) == ["with Ben", "without Ben"]
    with pytest.raises(RpcFail, match="CHAT_WRITE_FORBIDDEN") as refused:
        world.say(ben, basic, "hello?")
    assert refused.value.code == 403
    world.join(ben, basic)
    assert world.say(ben, basic, "back").message_id(ben.id) == 2


def test_only_the_author_edits(world: World, bot: Account, anna: Account) -> None:
    post = world.say(anna, bot, "one")
    with pytest.raises(RpcFail, match="MESSAGE_AUTHOR_REQUIRED"):
        world.edit(bot, post, "two")
    with pytest.raises(RpcFail, match="MESSAGE_NOT_MODIFIED"):
        world.edit(anna, post, "one")
    assert world.edit(anna, post, "two").edit_date is not None


def test_deleted_messages_cannot_be_changed(world: World, bot: Account, anna: Account) -> None:
    post = world.say(anna, bot, "one")
    world.delete(bot, post)
    for attempt in (
        lambda: world.edit(anna, post, "two"),
        lambda: world.react(anna, post, "👍"),
        lambda: world.delete(anna, post),
    ):
        with pytest.raises(RpcFail, match="MESSAGE_ID_INVALID"):
            attempt()


def test_in_groups_one_deletes_only_what_is_ones_own_unless_one_is_an_admin(
    world: World, bot: Account, anna: Account, ben: Account
) -> None:
    group = world.add_group("Team", anna, ben, admins=[bot])
    mine, theirs = world.say(anna, group, "mine"), world.say(ben, group, "theirs")
    with pytest.raises(RpcFail, match="MESSAGE_DELETE_FORBIDDEN"):
        world.delete(anna, mine, theirs)
    assert texts(world, anna, group) == ["mine", "theirs"]
    world.delete(anna, mine)
    world.delete(bot, theirs)
    assert texts(world, anna, group) == []


def test_a_person_does_not_write_to_a_bot_that_the_person_blocked(world: World, bot: Account, anna: Account) -> None:
    world.block(anna, bot)
    with pytest.raises(RpcFail, match="YOU_BLOCKED_USER"):
        world.say(anna, bot, "hello")
    world.unblock(anna, bot)
    world.say(anna, bot, "hello")


# -- reactions
def reaction_pts(world: World, bot: Account) -> list[tuple[int, list[str], list[str]]]:
    return [(event.qts, event.old, event.new) for event in world.boxes.reactions(bot.id, 0)]


def test_a_bot_learns_of_reactions_in_private_by_qts(world: World, bot: Account, anna: Account) -> None:
    post = world.publish(bot, anna, "hi")
    world.react(anna, post, "👍")
    world.react(anna, post, "❤️")
    world.react(anna, post)
    assert reaction_pts(world, bot) == [(1, [], ["👍"]), (2, ["👍"], ["❤"]), (3, ["❤"], [])]


def test_in_groups_only_an_admin_bot_learns_of_reactions(world: World, bot: Account, anna: Account) -> None:
    group = world.add_group("Team", bot, anna)
    post = world.say(anna, group, "hello")
    world.react(anna, post, "👍")
    assert reaction_pts(world, bot) == []
    world.join(bot, group, admin=True)
    world.react(anna, post)
    assert reaction_pts(world, bot) == [(1, ["👍"], [])]


def test_reactions_come_from_the_list_of_telegram(world: World, bot: Account, anna: Account) -> None:
    post = world.say(anna, bot, "hello")
    with pytest.raises(RpcFail, match="REACTION_INVALID"):
        world.react(anna, post, "✅")


def test_a_reaction_makes_an_invisible_edit_if_that_is_wished(world: World, bot: Account, anna: Account) -> None:
    post = world.say(anna, bot, "hello")
    world.limits.invisible_edits = True
    world.react(anna, post, "👍")
    assert [event.kind for event in world.boxes.events(bot.id, 1, 9)] == ["new", "touch"]


# -- what people see
def test_a_person_sees_replies_edits_and_reactions_with_own_ids(
    world: World, bot: Account, anna: Account, ben: Account
) -> None:
    world.say(ben, bot, "moves the ids of the bot")
    question = world.say(anna, bot, "how?", media="photo")
    answer = world.publish(bot, anna, "so", reply_to=question)
    world.edit(bot, answer, "thus")
    world.react(anna, answer, "👍")
    seen = world.view(anna, bot).messages
    assert [(m.id, m.sender, m.text, m.edited, m.reply_to, m.media) for m in seen] == [
        (1, anna.id, "how?", False, None, "photo"),
        (2, bot.id, "thus", True, 1, None),
    ]
    assert seen[1].reactions == {anna.id: ["👍"]}
    assert [m.text for m in world.view(anna, bot, limit=1).messages] == ["thus"]


def test_chats_do_not_mix(world: World, bot: Account, anna: Account, ben: Account) -> None:
    world.say(anna, bot, "of Anna")
    world.say(ben, bot, "of Ben")
    world.say(anna, ben, "between them")
    assert texts(world, anna, bot) == ["of Anna"]
    assert texts(world, ben, anna) == ["between them"]


def test_typing_fades_and_a_draft_lives_until_the_message(
    world: World, clock: Clock, bot: Account, anna: Account
) -> None:
    world.signs.type(bot, anna)
    assert world.view(anna, bot).typing == [bot.id]
    clock.now += 6
    assert world.view(anna, bot).typing == []
    world.signs.draft(bot, anna, Draft(9, "I am thi"))
    world.signs.type(bot, anna)
    assert world.view(anna, bot).drafts == {bot.id: "I am thi"}
    clock.now += 29
    world.signs.draft(bot, anna, Draft(9, "I am thinking"))
    clock.now += 29
    assert world.view(anna, bot).drafts == {bot.id: "I am thinking"}
    world.publish(bot, anna, "I think")
    assert world.view(anna, bot).drafts == {}
    world.signs.draft(bot, anna, Draft(10, "more"))
    clock.now += 30
    assert world.view(anna, bot).drafts == {}


def test_the_record_holds_every_action_in_order(world: World, clock: Clock, bot: Account, anna: Account) -> None:
    group = world.add_group("Team", bot, anna)
    post = world.say(anna, group, "one")
    world.edit(anna, post, "two")
    world.react(anna, post, "👍")
    world.signs.type(bot, group)
    world.signs.draft(bot, anna, Draft(9, "dra"))
    reply = world.publish(bot, group, "yes", reply_to=post, random_id=5)
    world.delete(bot, reply)
    world.block(anna, bot)
    world.unblock(anna, bot)
    world.leave(bot, group)
    actions = list(world.record.all())
    assert " ".join(action.kind for action in actions) == (
        "join join send edit react typing draft send delete block unblock leave"
    )
    assert [action.seq for action in actions] == list(range(1, 13))
    assert {action.at for action in actions} == {clock.now}
    sent = actions[7]
    assert (sent.account, sent.chat, sent.post, sent.text, sent.random_id, sent.reply_to) == (
        bot.id,
        group.id,
        reply.id,
        "yes",
        5,
        post.id,
    )
    assert sent.message_id(anna.id) == 2
    assert actions[4].emoji == ["👍"]
    assert actions[6].random_id == 9


def test_a_post_is_a_snapshot(world: World, bot: Account, anna: Account) -> None:
    post: Post = world.say(anna, bot, "one")
    world.edit(anna, post, "two")
    assert (post.text, world.posts.get(post.id).text) == ("one", "two")
