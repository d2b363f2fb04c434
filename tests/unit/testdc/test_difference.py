"""Whatever happens, a client that asks for the difference ends up seeing exactly what there is."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telethon.extensions import BinaryReader
from telethon.tl import functions as f
from telethon.tl import types as t

from services.testdc.api.registry import Call, answer
from services.testdc.keys import Keys
from services.testdc.model import Account, Group, Peer, Post, RpcFail
from services.testdc.world import World

STEPS = st.tuples(
    st.sampled_from(["say", "say", "bot", "edit", "delete", "react"]),
    st.integers(0, 3),
    st.integers(0, 9),
    st.sampled_from(["😀 a", "b", "@echo_bot c"]),
)
Snapshot = dict[int, str]


class Viewer:
    """A bot as its client would see the world: by RPCs alone."""

    def __init__(self, world: World, bot: Account) -> None:
        self.world, self.bot = world, bot
        keys = Keys(world.store)
        key = keys.add(b"k" * 256)
        key.account = bot.id
        self.call = Call(world, keys, key, ("127.0.0.1", 1))

    def ask(self, request: Any) -> Any:
        """The answer as it arrives, through its bytes."""
        with BinaryReader(bytes(answer(self.call, request))) as reader:
            return reader.tgread_object()

    def catch_up(self, messages: Snapshot, pts: int) -> tuple[Snapshot, int]:
        """The account's messages after the difference from pts on, and the pts reached."""
        messages, date = dict(messages), None
        while True:
            diff = self.ask(f.updates.GetDifferenceRequest(pts, date, 0))
            if isinstance(diff, t.updates.DifferenceEmpty):
                return messages, pts
            _apply(messages, diff)
            state = diff.state if isinstance(diff, t.updates.Difference) else diff.intermediate_state
            pts = state.pts
            if isinstance(diff, t.updates.Difference):
                return messages, pts

    def catch_up_channel(self, group: Group, messages: Snapshot, pts: int) -> tuple[Snapshot, int]:
        """The same for a supergroup."""
        messages = dict(messages)
        channel = t.InputChannel(group.raw_id, 0)
        while True:
            request = f.updates.GetChannelDifferenceRequest(channel, t.ChannelMessagesFilterEmpty(), pts, 100)
            diff = self.ask(request)
            if not isinstance(diff, t.updates.ChannelDifferenceEmpty):
                _apply(messages, diff)
            pts = diff.pts
            if diff.final:
                return messages, pts

    def sees(self, box: int) -> Snapshot:
        """What is truly there."""
        events = self.world.boxes.events(box, 0, 10_000)
        return {e.message_id: e.post.text for e in events if e.kind == "new" and not e.post.deleted}


def _apply(messages: Snapshot, diff: Any) -> None:
    for message in diff.new_messages:
        messages[message.id] = message.message
    for update in diff.other_updates:
        if hasattr(update, "messages"):
            for message_id in update.messages:
                messages.pop(message_id, None)
        elif hasattr(update, "message") and update.message.id in messages:
            messages[update.message.id] = update.message.message


class Talk:
    """A bot and two people who write, edit, delete and react in a private chat, a basic group and a supergroup."""

    def __init__(self) -> None:
        self.world = World()
        self.bot = self.world.add_bot("Echo")
        self.people = [self.world.add_user("Anna"), self.world.add_user("Ben")]
        basic = self.world.add_group("Old", self.bot, *self.people, kind="basic")
        self.group = self.world.add_group("Team", *self.people, admins=[self.bot])
        self._chats: list[Peer] = [self.bot, basic, self.group]
        self._posts: list[Post] = []

    def carry_out(self, kind: str, who: int, which: int, text: str) -> None:
        person, chat = self.people[who % 2], self._chats[which % 3]
        if kind == "say":
            reply_to = self._posts[-1] if self._posts and which % 2 else None
            self._posts.append(self.world.say(person, chat, text, reply_to=reply_to))
        elif kind == "bot":
            receiver = person if chat == self.bot else chat
            self._posts.append(self.world.publish(self.bot, receiver, text, random_id=len(self._posts) + 1))
        elif self._posts:
            with suppress(RpcFail):
                self._change(kind, person, self._posts[-1 - which % len(self._posts)], text + str(which))

    def _change(self, kind: str, person: Account, post: Post, text: str) -> None:
        sender = self.world.people.account(post.sender)
        if kind == "edit":
            self.world.edit(sender, post, text)
        elif kind == "delete":
            self.world.delete(sender, post, *self._posts[-2:-1])
        else:
            self.world.react(person, post, "👍")


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=25), st.integers(1, 7), st.sampled_from(["full", "count0", "zero"]), st.booleans())
def test_the_difference_from_any_pts_in_any_slices_rebuilds_what_the_viewer_sees(
    steps: list[Any], size: int, form: Any, invisible: bool
) -> None:
    talk = Talk()
    world, group, viewer = talk.world, talk.group, Viewer(talk.world, talk.bot)
    world.limits.difference_slice, world.limits.difference_form = size, form
    world.limits.invisible_edits = invisible
    account_states, channel_states = {1: Snapshot()}, {1: Snapshot()}
    for step in steps:
        talk.carry_out(*step)
        account_states[world.boxes.state(talk.bot.id).pts] = viewer.sees(talk.bot.id)
        channel_states[world.boxes.state(group.id).pts] = viewer.sees(group.id)
    for pts, known in account_states.items():
        expected = viewer.sees(talk.bot.id), world.boxes.state(talk.bot.id).pts
        assert viewer.catch_up(known, pts) == expected
    for pts, known in channel_states.items():
        expected = viewer.sees(group.id), world.boxes.state(group.id).pts
        assert viewer.catch_up_channel(group, known, pts) == expected
    world.close()


def make() -> tuple[World, Account, Account, Viewer]:
    world = World()
    bot, anna = world.add_bot("Echo"), world.add_user("Anna")
    return world, bot, anna, Viewer(world, bot)


def test_reactions_come_with_the_last_slice_and_after_their_qts() -> None:
    world, bot, anna, viewer = make()
    posts = [world.publish(bot, anna, str(n)) for n in range(4)]
    for post in posts:
        world.react(anna, post, "👍")
    world.limits.difference_slice = 3
    first = viewer.ask(f.updates.GetDifferenceRequest(1, None, 1))
    assert isinstance(first, t.updates.DifferenceSlice)
    assert (first.intermediate_state.qts, first.other_updates) == (1, [])
    last = viewer.ask(f.updates.GetDifferenceRequest(4, None, 1))
    assert [update.qts for update in last.other_updates] == [2, 3, 4]
    assert [update.msg_id for update in last.other_updates] == [2, 3, 4]
    assert last.state.qts == 4


def test_own_messages_come_with_their_random_ids() -> None:
    world, bot, anna, viewer = make()
    world.publish(bot, anna, "one", random_id=7)
    world.delete(bot, world.publish(bot, anna, "two", random_id=8))
    diff = viewer.ask(f.updates.GetDifferenceRequest(1, None, 0))
    ids = [(u.id, u.random_id) for u in diff.other_updates if isinstance(u, t.UpdateMessageID)]
    assert ids == [(1, 7), (2, 8)]
    assert [(m.id, m.message, m.out) for m in diff.new_messages] == [(1, "one", True)]


@pytest.mark.parametrize(("form", "expected"), [("full", (3, 1)), ("count0", (3, 0)), ("zero", (0, 0))])
def test_other_updates_have_three_forms(form: Any, expected: tuple[int, int]) -> None:
    world, bot, anna, viewer = make()
    world.edit(anna, world.say(anna, bot, "one"), "two")
    world.react(anna, world.publish(bot, anna, "three"), "👍")
    world.limits.difference_form = form
    diff = viewer.ask(f.updates.GetDifferenceRequest(1, None, 0))
    edit, reaction = diff.other_updates
    assert (edit.pts, edit.pts_count) == expected
    assert reaction.qts == (0 if form == "zero" else 1)


def test_a_client_too_far_behind_is_told_so() -> None:
    world, bot, anna, viewer = make()
    group = world.add_group("Team", bot, anna)
    world.limits.box_size = world.limits.channel_box_size = 3
    for n in range(4):
        world.say(anna, bot, str(n))
        world.say(anna, group, str(n))
    account = viewer.ask(f.updates.GetDifferenceRequest(1, None, 0))
    assert (type(account), account.pts) == (t.updates.DifferenceTooLong, 5)
    assert isinstance(viewer.ask(f.updates.GetDifferenceRequest(2, None, 0)), t.updates.Difference)
    channel = t.InputChannel(group.raw_id, 0)
    request = f.updates.GetChannelDifferenceRequest(channel, t.ChannelMessagesFilterEmpty(), 1, 100)
    too_long = viewer.ask(request)
    assert (type(too_long), too_long.dialog.pts) == (t.updates.ChannelDifferenceTooLong, 5)
    assert [message.message for message in too_long.messages] == ["3"]


def test_the_client_can_set_limits_of_its_own() -> None:
    world, bot, anna, viewer = make()
    for n in range(4):
        world.say(anna, bot, str(n))
    part = viewer.ask(f.updates.GetDifferenceRequest(1, None, 0, pts_limit=2))
    assert [message.message for message in part.new_messages] == ["0", "1"]
    too_long = viewer.ask(f.updates.GetDifferenceRequest(1, None, 0, pts_total_limit=3))
    assert isinstance(too_long, t.updates.DifferenceTooLong)


@pytest.mark.parametrize(("pts", "error"), [(0, "PERSISTENT_TIMESTAMP_EMPTY"), (9, "PERSISTENT_TIMESTAMP_INVALID")])
def test_a_pts_that_never_was_is_refused(pts: int, error: str) -> None:
    _, _, _, viewer = make()
    with pytest.raises(RpcFail, match=error):
        viewer.ask(f.updates.GetDifferenceRequest(pts, None, 0))
