"""The world as TL objects, always as one account sees it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from telethon.tl import types as t

from services.testdc import entities as text_rules
from services.testdc.api import media
from services.testdc.model import (
    SUPERGROUP_BASE,
    Account,
    Entity,
    Event,
    Group,
    MembershipEvent,
    Peer,
    Post,
    ReactedEvent,
    ReactionEvent,
    SignEvent,
)
from services.testdc.people import phone_of
from services.testdc.world import AnyEvent, World

UNUSABLE_HASH = 1
ICON_COLOR = 0x6FB9F0
"""Of every topic: nobody looks at it."""


def utc(seconds: float) -> datetime:
    """A date as TL objects carry it: whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC)


# -- accounts and chats ------------------------------------------------------------------------------------------------
def peer(who: Peer) -> Any:
    """PeerUser, PeerChat or PeerChannel."""
    if isinstance(who, Account):
        return t.PeerUser(who.id)
    return t.PeerChannel(who.raw_id) if who.kind == "supergroup" else t.PeerChat(who.raw_id)


def user(world: World, viewer: Account, account: Account, *, minimal: bool = False) -> Any:
    """A user; a minimal one has no usable access hash (https://core.telegram.org/api/min)."""
    minimal = minimal and account != viewer
    return t.User(
        id=account.id,
        is_self=account == viewer or None,
        bot=account.bot or None,
        min=minimal or None,
        access_hash=UNUSABLE_HASH if minimal else world.people.access_hash(viewer.id, account.id),
        first_name=account.name,
        username=account.username,
        phone=phone_of(account) if account == viewer and not account.bot else None,
        bot_info_version=1 if account.bot else None,
        bot_forum_view=account.forum or None,
        lang_code=None if account.bot else "en",
    )


def chat(world: World, viewer: Account, group: Group) -> Any:
    """A Chat or a Channel; forbidden ones for who is no member."""
    access_hash = world.people.access_hash(viewer.id, group.id)
    inside = viewer.id in group.members
    if group.kind == "basic":
        if not inside:
            return t.ChatForbidden(group.raw_id, group.title)
        count = len(group.members)
        return t.Chat(group.raw_id, group.title, t.ChatPhotoEmpty(), count, utc(group.created), version=1)
    if not inside:
        return t.ChannelForbidden(group.raw_id, access_hash, group.title, megagroup=True)
    return t.Channel(
        id=group.raw_id,
        title=group.title,
        photo=t.ChatPhotoEmpty(),
        date=utc(group.created),
        megagroup=True,
        forum=group.forum or None,
        access_hash=access_hash,
        participants_count=len(group.members),
    )


# -- messages ----------------------------------------------------------------------------------------------------------
def message(world: World, viewer: Account, post: Post, *, touched: bool = False) -> Any:
    """A message in its present state; touched means edited without visible change."""
    if post.begins_topic:
        return _topic_begins(world, viewer, post)
    own = post.sender == viewer.id
    in_group = post.chat < 0
    return t.Message(
        id=post.message_id(viewer.id),
        peer_id=peer(world.people.peer(post.chat_for(viewer.id))),
        from_id=t.PeerUser(post.sender) if in_group or own else None,
        out=own or None,
        mentioned=(in_group and not own and _mentions(world, viewer, post)) or None,
        date=utc(post.date),
        message=post.text,
        entities=[entity_tl(entity) for entity in post.entities] or None,
        media=media.render(post),
        reply_to=_reply_header(world, viewer, post),
        edit_date=utc(world.clock()) if touched else post.edit_date and utc(post.edit_date),
        edit_hide=touched or None,
        reactions=reactions(post) if post.reactions else None,
    )


def _topic_begins(world: World, viewer: Account, post: Post) -> Any:
    return t.MessageService(
        id=post.message_id(viewer.id),
        peer_id=peer(world.people.peer(post.chat_for(viewer.id))),
        from_id=t.PeerUser(post.sender),
        out=post.sender == viewer.id or None,
        date=utc(post.date),
        action=t.MessageActionTopicCreate(post.text, icon_color=ICON_COLOR),
    )


def _mentions(world: World, viewer: Account, post: Post) -> bool:
    if text_rules.mentions(post.text, post.entities, viewer):
        return True
    return post.reply_to is not None and world.posts.get(post.reply_to).sender == viewer.id


def _reply_header(world: World, viewer: Account, post: Post) -> Any:
    """What it replies to, and the thread it is in; only in a topic the thread is marked as one."""
    topic = world.topics.message_id(post, viewer.id)
    replied = world.posts.get(post.reply_to).ids.get(post.box_of(viewer.id)) if post.reply_to else None
    if topic:
        top = topic if replied else None
        return t.MessageReplyHeader(forum_topic=True, reply_to_msg_id=replied or topic, reply_to_top_id=top)
    if not replied:
        return None
    return t.MessageReplyHeader(reply_to_msg_id=replied, reply_to_top_id=_thread(world, post))


def _thread(world: World, post: Post) -> int | None:
    """The first message of a chain of replies in a supergroup, unless it is the one that is replied to."""
    if post.chat > SUPERGROUP_BASE:
        return None
    first = post
    while first.reply_to and (earlier := world.posts.get(first.reply_to)).chat == post.chat:
        first = earlier
    return first.message_id(first.chat) if first.id != post.reply_to else None


def reactions(post: Post) -> Any:
    """How often each emoji stands under a message."""
    given = [emoji for chosen in post.reactions.values() for emoji in chosen]
    return t.MessageReactions([t.ReactionCount(t.ReactionEmoji(e), given.count(e)) for e in dict.fromkeys(given)])


def entity_tl(entity: Entity) -> Any:
    """The TL form of an entity."""
    fields = {name: value for name, value in entity.items() if name != "type"}
    return getattr(t, f"MessageEntity{entity['type']}")(**fields)


# -- updates -----------------------------------------------------------------------------------------------------------
def update(world: World, viewer: Account, event: AnyEvent, *, count: int = 1) -> Any:
    """One event; `count` is its pts_count."""
    if isinstance(event, ReactionEvent):
        return _reaction_update(world, event)
    if isinstance(event, ReactedEvent):
        seen, message_id = world.people.peer(event.post.chat_for(viewer.id)), event.post.message_id(viewer.id)
        return t.UpdateMessageReactions(peer(seen), message_id, reactions(event.post))
    if isinstance(event, SignEvent):
        return _sign(world, viewer, event)
    if isinstance(event, MembershipEvent):
        known = t.UpdateChannel if event.group.kind == "supergroup" else t.UpdateChat
        return known(event.group.raw_id)
    if event.kind == "delete":
        return deletion(world, [event])
    shown = message(world, viewer, event.post, touched=event.kind == "touch")
    return _MESSAGE_UPDATES[event.box < 0, event.kind == "new"](shown, event.pts, count)


_MESSAGE_UPDATES = {
    (False, True): t.UpdateNewMessage,
    (False, False): t.UpdateEditMessage,
    (True, True): t.UpdateNewChannelMessage,
    (True, False): t.UpdateEditChannelMessage,
}


def deletion(world: World, events: Sequence[Event]) -> Any:
    """One update for deletions that happened together in one box."""
    ids, pts = [event.message_id for event in events], events[-1].pts
    if events[0].box < 0:
        return t.UpdateDeleteChannelMessages(world.people.group(events[0].box).raw_id, ids, pts, len(ids))
    return t.UpdateDeleteMessages(ids, pts, len(ids))


def _reaction_update(world: World, event: ReactionEvent) -> Any:
    return t.UpdateBotMessageReaction(
        peer=peer(world.people.peer(event.post.chat_for(event.account))),
        msg_id=event.post.message_id(event.account),
        date=utc(event.date),
        actor=t.PeerUser(event.actor),
        old_reactions=[t.ReactionEmoji(emoji) for emoji in event.old],
        new_reactions=[t.ReactionEmoji(emoji) for emoji in event.new],
        qts=event.qts,
    )


def _sign(world: World, viewer: Account, event: SignEvent) -> Any:
    top = event.topic.message_id(viewer.id) if event.topic else None
    action = _action(event)
    if event.chat > 0:
        return t.UpdateUserTyping(event.actor, action, top_msg_id=top)
    group, actor = world.people.group(event.chat), t.PeerUser(event.actor)
    if group.kind == "basic":
        return t.UpdateChatUserTyping(group.raw_id, actor, action)
    return t.UpdateChannelUserTyping(group.raw_id, actor, action, top_msg_id=top)


def _action(event: SignEvent) -> Any:
    draft = event.draft
    if draft is None:
        return t.SendMessageTypingAction()
    if event.stops:
        return t.SendMessageStopDraftAction(draft.id)
    text = t.TextWithEntities(draft.text, [entity_tl(entity) for entity in draft.entities])
    return t.SendMessageTextDraftAction(
        text, can_stop=draft.can_stop or None, keep_on_stop=draft.keep_on_stop or None, random_id=draft.id
    )


def push(world: World, viewer: Account, events: Sequence[AnyEvent]) -> Any:
    """The Updates by which an account learns of events that happened together."""
    first = events[0]
    if isinstance(first, Event) and first.kind == "delete":
        return updates(world, viewer, [deletion(world, [e for e in events if isinstance(e, Event)])], [])
    return updates(world, viewer, [update(world, viewer, event) for event in events], events)


def updates(world: World, viewer: Account, what: list[Any], events: Iterable[AnyEvent]) -> Any:
    """Updates with the users and chats that these events speak of."""
    users, chats = cast(world, viewer, events)
    return t.Updates(what, users, chats, utc(world.clock()), seq=0)


def cast(world: World, viewer: Account, events: Iterable[AnyEvent]) -> tuple[list[Any], list[Any]]:
    """Users and chats that appear in events, each once."""
    accounts: dict[int, bool] = {}
    groups: dict[int, Group] = {}
    for event in events:
        if isinstance(event, MembershipEvent):
            groups[event.group.id] = event.group
            continue
        if isinstance(event, SignEvent):
            accounts.setdefault(event.actor, event.chat < 0)
            if event.chat < 0:
                groups[event.chat] = world.people.group(event.chat)
            continue
        post = event.post
        people = [post.sender, *_named(post), *([event.actor] if isinstance(event, ReactionEvent) else [])]
        if post.chat < 0:
            groups[post.chat] = world.people.group(post.chat)
        else:
            people.append(post.chat)
        for one in people:
            accounts[one] = accounts.get(one, True) and post.chat < 0
    users = [
        user(world, viewer, world.people.account(one), minimal=only_in_groups and world.limits.min_users)
        for one, only_in_groups in accounts.items()
    ]
    return users, [chat(world, viewer, group) for group in groups.values()]


def _named(post: Post) -> list[int]:
    return [entity["user_id"] for entity in post.entities if entity["type"] == "MentionName"]
