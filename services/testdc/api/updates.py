"""Where a client stands, and what it missed (https://core.telegram.org/api/updates)."""

from collections.abc import Sequence
from typing import Any

from telethon.tl import functions as f
from telethon.tl import types as t

from services.testdc.api import render
from services.testdc.api.peers import find_channel
from services.testdc.api.registry import Call, answers
from services.testdc.model import Event, Group, bad
from services.testdc.world import AnyEvent

CHANNEL_TIMEOUT = 30


@answers(f.updates.GetStateRequest)
def get_state(call: Call, _request: Any) -> Any:
    """Where the account's box stands now."""
    state = call.world.boxes.state(call.me.id)
    told = call.world.limits.state_qts
    return _state(call, state.pts, state.qts if told is None else told)


def _state(call: Call, pts: int, qts: int, date: Any = None) -> Any:
    return t.updates.State(pts, qts, date or render.utc(call.world.clock()), seq=0, unread_count=0)


@answers(f.updates.GetDifferenceRequest)
def get_difference(call: Call, request: Any) -> Any:
    """Events of the account after pts and qts, and which supergroups changed since date.

    What hangs on qts and date comes with the last slice. PERSISTENT_TIMESTAMP_EMPTY or _INVALID for a pts that the
    box never had.
    """
    box, limits = call.world.boxes.state(call.me.id), call.world.limits
    _check_pts(request.pts, box.pts)
    if box.pts - request.pts > min(limits.box_size, request.pts_total_limit or limits.box_size):
        return t.updates.DifferenceTooLong(box.pts)
    size = min(limits.difference_slice, request.pts_limit or limits.difference_slice)
    events = call.world.boxes.events(call.me.id, request.pts, size)
    if events and events[-1].pts < box.pts:
        new, other, users, chats = _gather(call, events)
        between = _state(call, events[-1].pts, request.qts, request.date)
        return t.updates.DifferenceSlice(new, [], other, chats, users, between)
    reactions = call.world.boxes.reactions(call.me.id, request.qts)
    late = _late_groups(call, request.date)
    if not (events or reactions or late):
        return t.updates.DifferenceEmpty(render.utc(call.world.clock()), seq=0)
    new, other, users, chats = _gather(call, [*events, *reactions])
    other += [t.UpdateChannelTooLong(group.raw_id, call.world.boxes.state(group.id).pts) for group in late]
    known = {chat.id for chat in chats}
    chats += [render.chat(call.world, call.me, group) for group in late if group.raw_id not in known]
    return t.updates.Difference(new, [], other, chats, users, _state(call, box.pts, box.qts))


def _check_pts(pts: int, latest: int) -> None:
    if not pts:
        raise bad("PERSISTENT_TIMESTAMP_EMPTY")
    if not 0 < pts <= latest:
        raise bad("PERSISTENT_TIMESTAMP_INVALID")


def _late_groups(call: Call, date: Any) -> list[Group]:
    """Supergroups with events since that date; their boxes have to be asked for one by one."""
    return [
        group
        for group in call.world.people.groups()
        if group.kind == "supergroup"
        and call.me.id in group.members
        and date
        and int(call.world.boxes.state(group.id).changed) >= date.timestamp()
    ]


def _gather(call: Call, events: Sequence[AnyEvent]) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """New messages in their present state, other updates in order, users, chats.

    A message that is gone again is left out. An own message comes with the random id it was sent with, by which a
    client that never got its answer finds it (TDLib relies on it).
    """
    new, other = [], []
    for event in events:
        if isinstance(event, Event) and event.kind == "new":
            own_random_id = event.post.random_id if event.post.sender == call.me.id else 0
            if own_random_id:
                other.append(t.UpdateMessageID(event.message_id, own_random_id))
            if not event.post.deleted:
                new.append(render.message(call.world, call.me, event.post))
        elif not (isinstance(event, Event) and event.kind != "delete" and event.post.deleted):
            other.append(_in_form(call, render.update(call.world, call.me, event)))
    return new, other, *render.cast(call.world, call.me, events)


def _in_form(call: Call, update: Any) -> Any:
    """With pts and qts as `limits.difference_form` says: what the real Telegram writes there is not documented."""
    form = call.world.limits.difference_form
    if form != "full" and hasattr(update, "pts_count"):
        update.pts_count = 0
    if form == "zero":
        for name in {"pts", "qts"} & vars(update).keys():
            setattr(update, name, 0)
    return update


@answers(f.updates.GetChannelDifferenceRequest)
def get_channel_difference(call: Call, request: Any) -> Any:
    """Events of a supergroup after pts."""
    group, limits = find_channel(call, request.channel), call.world.limits
    box = call.world.boxes.state(group.id)
    _check_pts(request.pts, box.pts)
    if box.pts - request.pts > limits.channel_box_size:
        return _channel_too_long(call, group)
    events = call.world.boxes.events(group.id, request.pts, max(1, min(request.limit, limits.difference_slice)))
    if not events:
        return t.updates.ChannelDifferenceEmpty(box.pts, final=True, timeout=CHANNEL_TIMEOUT)
    new, other, users, chats = _gather(call, events)
    pts = events[-1].pts
    return t.updates.ChannelDifference(
        pts, new, other, chats, users, final=pts == box.pts or None, timeout=CHANNEL_TIMEOUT
    )


def _channel_too_long(call: Call, group: Group) -> Any:
    """Where the box stands and its last message: all that a client so far behind gets."""
    state = call.world.boxes.state(group.id)
    dialog = t.Dialog(
        peer=t.PeerChannel(group.raw_id),
        top_message=state.last_id,
        read_inbox_max_id=0,
        read_outbox_max_id=0,
        unread_count=0,
        unread_mentions_count=0,
        unread_reactions_count=0,
        unread_poll_votes_count=0,
        notify_settings=t.PeerNotifySettings(),
        pts=state.pts,
    )
    last = call.world.posts.at(group.id, state.last_id)
    messages = [render.message(call.world, call.me, last)] if last and not last.deleted else []
    return t.updates.ChannelDifferenceTooLong(
        dialog, messages, [render.chat(call.world, call.me, group)], [], final=True, timeout=CHANNEL_TIMEOUT
    )
