"""Users, groups and supergroups: finding them, and what they are."""

from typing import Any

from telethon.tl import functions as f
from telethon.tl import types as t

from services.testdc.api import render
from services.testdc.api.registry import Call, answers
from services.testdc.model import SUPERGROUP_BASE, Account, Group, Peer, RpcFail, bad


def find_user(call: Call, named: Any) -> Account:
    """The account of an InputUser or InputPeerUser; PEER_ID_INVALID without the right access hash.

    A bot may give 0 instead of the hash.
    """
    if isinstance(named, t.InputUserSelf | t.InputPeerSelf):
        return call.me
    account = call.world.people.account(getattr(named, "user_id", 0))
    if not _may_name(call, account.id, named.access_hash):
        raise bad("PEER_ID_INVALID")
    return account


def find_channel(call: Call, named: Any) -> Group:
    """The supergroup of an InputChannel or InputPeerChannel, for its members.

    CHANNEL_INVALID without the right access hash (0 will do for a bot), CHANNEL_PRIVATE for who is no member.
    """
    try:
        group = call.world.people.group(SUPERGROUP_BASE - getattr(named, "channel_id", 0))
    except RpcFail as err:
        raise bad("CHANNEL_INVALID") from err
    if not _may_name(call, group.id, named.access_hash):
        raise bad("CHANNEL_INVALID")
    if call.me.id not in group.members:
        raise bad("CHANNEL_PRIVATE")
    return group


def find_peer(call: Call, named: Any) -> Peer:
    """The chat of an InputPeer; refused as by `find_user` and `find_channel`.

    CHAT_WRITE_FORBIDDEN for a basic group that one is not in.
    """
    if isinstance(named, t.InputPeerChannel):
        return find_channel(call, named)
    if not isinstance(named, t.InputPeerChat):
        return find_user(call, named)
    group = find_basic(call, named.chat_id)
    if call.me.id not in group.members:
        raise RpcFail(403, "CHAT_WRITE_FORBIDDEN")
    return group


def find_basic(call: Call, raw_id: int) -> Group:
    """The basic group of that id; PEER_ID_INVALID when there is none."""
    try:
        return call.world.people.group(-raw_id)
    except RpcFail as err:
        raise bad("PEER_ID_INVALID") from err


def _may_name(call: Call, marked_id: int, access_hash: int) -> bool:
    right = call.world.people.access_hash(call.me.id, marked_id)
    return access_hash == right or (access_hash == 0 and call.me.bot)


@answers(f.users.GetUsersRequest)
def get_users(call: Call, request: Any) -> Any:
    """Users in the order asked for; an empty one where there is none."""
    return [_user_or_empty(call, named) for named in request.id]


def _user_or_empty(call: Call, named: Any) -> Any:
    try:
        return render.user(call.world, call.me, find_user(call, named))
    except RpcFail as err:
        if err.code == 401:
            raise
        return t.UserEmpty(getattr(named, "user_id", 0))


@answers(f.users.GetFullUserRequest)
def get_full_user(call: Call, request: Any) -> Any:
    """A user, with nothing more to tell."""
    account = find_user(call, request.id)
    full = t.UserFull(account.id, t.PeerSettings(), t.PeerNotifySettings(), common_chats_count=0)
    return t.users.UserFull(full, [], [render.user(call.world, call.me, account)])


@answers(f.contacts.ResolveUsernameRequest)
def resolve_username(call: Call, request: Any) -> Any:
    """The account of a username; USERNAME_NOT_OCCUPIED when there is none."""
    account = call.world.people.by_username(request.username)
    if account is None:
        raise bad("USERNAME_NOT_OCCUPIED")
    return t.contacts.ResolvedPeer(render.peer(account), [], [render.user(call.world, call.me, account)])


@answers(f.messages.GetChatsRequest)
def get_chats(call: Call, request: Any) -> Any:
    """Basic groups."""
    return t.messages.Chats([render.chat(call.world, call.me, find_basic(call, raw_id)) for raw_id in request.id])


@answers(f.channels.GetChannelsRequest)
def get_channels(call: Call, request: Any) -> Any:
    """Supergroups."""
    return t.messages.Chats([render.chat(call.world, call.me, find_channel(call, named)) for named in request.id])


@answers(f.channels.GetFullChannelRequest)
def get_full_channel(call: Call, request: Any) -> Any:
    """A supergroup with its pts: where a client that does not know it yet begins."""
    group = find_channel(call, request.channel)
    state = call.world.boxes.state(group.id)
    full = t.ChannelFull(
        id=group.raw_id,
        about="",
        read_inbox_max_id=state.last_id,
        read_outbox_max_id=state.last_id,
        unread_count=0,
        chat_photo=t.PhotoEmpty(0),
        notify_settings=t.PeerNotifySettings(),
        bot_info=[],
        pts=state.pts,
        participants_count=len(group.members),
        admins_count=len(group.admins),
    )
    return t.messages.ChatFull(full, [render.chat(call.world, call.me, group)], [])
