"""The simulated Telegram: what people and bots do, and what each of them then sees. No sockets and no TL classes."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from services.testdc import entities as text_rules
from services.testdc.boxes import Boxes
from services.testdc.calls import Calls
from services.testdc.emoji import REACTIONS, VARIATION_SELECTOR
from services.testdc.limits import Limits, Rates
from services.testdc.model import (
    Account,
    Action,
    ActionKind,
    Entity,
    Event,
    Group,
    GroupKind,
    MediaKind,
    MembershipEvent,
    Peer,
    Post,
    ReactedEvent,
    ReactionEvent,
    RpcFail,
    Seen,
    SignEvent,
    View,
    bad,
)
from services.testdc.people import People
from services.testdc.posts import Posts, place
from services.testdc.presence import Presence
from services.testdc.record import Record
from services.testdc.signs import Signs
from services.testdc.store import Store
from services.testdc.topics import Topics

AnyEvent = Event | ReactionEvent | ReactedEvent | MembershipEvent | SignEvent


class World:
    """Everything in memory is a mirror of the store, except limits, rates, presence and the list of calls."""

    def __init__(self, folder: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        """The world kept in this folder, new if there is none; FolderError when the folder cannot be used.

        `clock` gives seconds since 1970; clients expect it to be the real time.
        """
        self.clock = clock
        self.store = Store(folder)
        self.people = People(self.store)
        self.posts = Posts(self.store)
        self.topics = Topics(self.store, self.posts, self.people)
        self.boxes = Boxes(self.store, clock)
        self.record = Record(self.store, clock)
        self.presence = Presence(clock)
        self.limits = Limits()
        self.rates = Rates(clock)
        self.calls = Calls()
        self.sending: set[tuple[int, int, int]] = set()
        """(account, chat, random id) of messages that are being made."""
        self.deliver: Callable[[Sequence[AnyEvent]], None] = _nobody_listens
        self.signs = Signs(self.presence, self.record, self.people, lambda event: self.deliver([event]))

    def close(self) -> None:
        """Put all on disk and let go of it."""
        self.store.close()

    @property
    def unknown_calls(self) -> list[str]:
        """RPCs, or arguments of them, that the sandbox could not answer; a test should fail unless it is empty."""
        return self.calls.unknown

    # -- who there is -----------------------------------------------------------------------------------------------
    def add_user(self, name: str, username: str | None = None) -> Account:
        """A new person."""
        account = self.people.add_user(name, username)
        self.boxes.open(account.id)
        return account

    def add_bot(
        self, name: str, token: str | None = None, username: str | None = None, *, forum: bool = False
    ) -> Account:
        """A new bot; with the token of a known one, that bot. Forum: private chats with it have topics."""
        known = token and self.people.by_token(token)
        bot = known or self.people.add_bot(name, token, username, forum=forum)
        if not known:
            self.boxes.open(bot.id)
        return bot

    def add_group(
        self,
        title: str,
        *members: Account,
        kind: GroupKind = "supergroup",
        admins: Iterable[Account] = (),
        forum: bool = False,
    ) -> Group:
        """A new group; admins are members too. In a forum, message 1 is its making: General goes by that id."""
        group = self.people.add_group(title, kind, self.clock(), forum=forum and kind == "supergroup")
        if kind == "supergroup":
            self.boxes.open(group.id)
        if group.forum:
            self.boxes.next_message_id(group.id)
        admins = list(admins)
        for account in dict.fromkeys([*members, *admins]):
            self.join(account, group, admin=account in admins)
        return group

    def join(self, account: Account, group: Group, *, admin: bool = False) -> None:
        """Become a member; a bot that is connected learns of it."""
        self.people.join(account, group, admin=admin)
        self.record.add(kind="join", account=account.id, chat=group.id)
        self.deliver([MembershipEvent(account.id, group)])

    def leave(self, account: Account, group: Group) -> None:
        """Be no member any more, whether by own will or by somebody else's."""
        self.people.leave(account, group)
        self.record.add(kind="leave", account=account.id, chat=group.id)
        self.deliver([MembershipEvent(account.id, group)])

    def block(self, person: Account, bot: Account) -> None:
        """The person wants to hear no more from the bot."""
        self.people.block(person, bot, blocked=True)
        self.record.add(kind="block", account=person.id, chat=bot.id)

    def unblock(self, person: Account, bot: Account) -> None:
        """The person wants to hear from the bot again."""
        self.people.block(person, bot, blocked=False)
        self.record.add(kind="unblock", account=person.id, chat=bot.id)

    # -- messages ---------------------------------------------------------------------------------------------------
    def say(
        self,
        who: Account,
        chat: Peer,
        text: str,
        *,
        entities: Sequence[Entity] = (),
        reply_to: Post | None = None,
        media: MediaKind | None = None,
        topic: Post | None = None,
        random_id: int = 0,
    ) -> Post:
        """A person says something, of any length; mentions, commands and links in it are marked by the server.

        Refused in a group the person is not in, to a bot that the person blocked, and in a topic that is closed or
        gone. A reply goes to the topic of what it replies to.
        """
        self._check_may_write(who, chat)
        topic = topic or self.topics.of(reply_to)
        self.topics.check(who, chat, topic)
        text_rules.check_bounds(text, entities)
        entities = text_rules.marked(text, entities)
        return self.publish(
            who, chat, text, entities=entities, reply_to=reply_to, media=media, topic=topic, random_id=random_id
        )

    def _check_may_write(self, who: Account, chat: Peer) -> None:
        if isinstance(chat, Group) and who.id not in chat.members:
            raise RpcFail(403, "CHAT_WRITE_FORBIDDEN")
        if isinstance(chat, Account) and self.people.is_blocked(who.id, chat.id):
            raise bad("YOU_BLOCKED_USER")

    def publish(
        self,
        sender: Account,
        chat: Peer,
        text: str,
        *,
        entities: Sequence[Entity] = (),
        reply_to: Post | None = None,
        media: MediaKind | None = None,
        random_id: int = 0,
        topic: Post | None = None,
        begins_topic: bool = False,
    ) -> Post:
        """A message appears to all who see the chat; whether it may is decided before."""
        post = self.posts.add(
            Post(
                id=0,
                sender=sender.id,
                chat=chat.id,
                text=text,
                entities=list(entities),
                media=media,
                reply_to=reply_to.id if reply_to else None,
                date=self.clock(),
                edit_date=None,
                deleted=False,
                random_id=random_id,
                ids={box: self.boxes.next_message_id(box) for box in _boxes(sender, chat)},
                reactions={},
                topic=topic.id if topic else None,
            )
        )
        if begins_topic:
            post = self.posts.begin_topic(post)
        self.presence.clear(place(sender.id, chat.id, post.topic), sender.id)
        self._act("send", sender, post)
        self._happen(self.boxes.log("new", post))
        return post

    def edit(self, who: Account, post: Post, text: str, *, entities: Sequence[Entity] = ()) -> Post:
        """Change an own message; refused for somebody else's, for a deleted one, and when nothing changes."""
        post = self._present(post)
        if post.sender != who.id:
            raise RpcFail(403, "MESSAGE_AUTHOR_REQUIRED")
        text_rules.check_bounds(text, entities)
        if not who.bot:
            entities = text_rules.marked(text, entities)
        if (text, list(entities)) == (post.text, post.entities):
            raise bad("MESSAGE_NOT_MODIFIED")
        post = self.posts.edit(post, text=text, entities=list(entities), edit_date=self.clock())
        self._act("edit", who, post)
        self._happen(self.boxes.log("edit", post))
        return post

    def delete(self, who: Account, *posts: Post) -> None:
        """Delete for everybody; in a group only own messages, unless one is an admin there."""
        posts = tuple({post.id: self._present(post) for post in posts}.values())
        for post in posts:
            self._check_may_delete(who, post)
        self._remove(who, posts)

    def _remove(self, who: Account, posts: Iterable[Post]) -> None:
        events = []
        for post in posts:
            gone = self.posts.delete(post)
            self._act("delete", who, gone)
            events += self.boxes.log("delete", gone)
        self._happen(events)

    def _check_may_delete(self, who: Account, post: Post) -> None:
        if post.chat < 0:
            allowed = who.id == post.sender or who.id in self.people.group(post.chat).admins
        else:
            allowed = who.id in (post.sender, post.chat)
        if not allowed:
            raise RpcFail(403, "MESSAGE_DELETE_FORBIDDEN")

    def react(self, who: Account, post: Post, *emoji: str) -> Post:
        """Set one's reaction, or with none take it away; REACTION_INVALID outside Telegram's list.

        Bots learn of it by qts: of reactions to what they can see in private chats, and in groups where they are
        admins.
        """
        post = self._present(post)
        new = [one.replace(VARIATION_SELECTOR, "") for one in emoji]
        if not REACTIONS.issuperset(new):
            raise bad("REACTION_INVALID")
        old = post.reactions.get(who.id, [])
        if old == new:
            raise bad("MESSAGE_NOT_MODIFIED")
        post = self.posts.react(post, who.id, new)
        self._act("react", who, post, emoji=new)
        if self.limits.invisible_edits:
            self._happen(self.boxes.log("touch", post))
        for bot in self._told_of_reactions(who, post):
            self.deliver([self.boxes.log_reaction(bot, post, who.id, old, new)])
        for person in self._people_who_see(post):
            self.deliver([ReactedEvent(person, post)])
        return post

    def _people_who_see(self, post: Post) -> list[int]:
        watchers = self.people.group(post.chat).members if post.chat < 0 else {post.sender, post.chat}
        return sorted(i for i in watchers if not self.people.account(i).bot)

    def _told_of_reactions(self, who: Account, post: Post) -> list[int]:
        watchers = self.people.group(post.chat).admins if post.chat < 0 else {post.sender, post.chat}
        return sorted(i for i in watchers - {who.id} if self.people.account(i).bot and not who.bot)

    def begin_topic(self, who: Account, chat: Peer, title: str) -> Post:
        """A new topic; refused where there are none, and to who is not in the group."""
        self._check_may_write(who, chat)
        self.topics.check_title(who, chat, title)
        return self.publish(who, chat, title, begins_topic=True)

    def close_topic(self, who: Account, topic: Post, *, closed: bool = True) -> None:
        """Only admins write in it from now on, or everybody again."""
        self.topics.close(who, topic, closed=closed)
        self.record.add(kind="close" if closed else "reopen", account=who.id, chat=topic.chat, topic=topic.id)

    def delete_topic(self, who: Account, topic: Post) -> None:
        """The topic is gone, with all that was said in it; in a group only its maker and admins may do that."""
        self._check_may_delete(who, topic)
        self._remove(who, self.posts.in_topic(topic.id))

    def _present(self, post: Post) -> Post:
        post = self.posts.get(post.id)
        if post.deleted:
            raise bad("MESSAGE_ID_INVALID")
        return post

    def _act(self, kind: ActionKind, who: Account, post: Post, emoji: Sequence[str] = ()) -> None:
        self.record.add(
            kind=kind,
            account=who.id,
            chat=post.chat_for(who.id),
            post=post.id,
            ids=post.ids,
            text=post.text,
            entities=post.entities,
            random_id=post.random_id,
            reply_to=post.reply_to,
            media=post.media,
            emoji=list(emoji),
            topic=post.topic,
        )

    def _happen(self, events: Iterable[Event]) -> None:
        by_box: dict[int, list[Event]] = {}
        for event in events:
            by_box.setdefault(event.box, []).append(event)
        for together in by_box.values():
            self.deliver(together)

    # -- what people see --------------------------------------------------------------------------------------------
    def view(self, person: Account, chat: Peer, limit: int = 100, topic: Post | None = None) -> View:
        """The chat as this person sees it: the last messages of all topics in order, and what others type or stream.

        What they type or stream in the topic, or outside of topics and in General.
        """
        where = place(person.id, chat.id, topic.id if topic else None)
        drafts = {who: draft.text for who, draft in self.presence.drafts(where).items() if who != person.id}
        typing = [who for who in self.presence.typists(where) if who != person.id]
        posts = self.posts.visible(person.id, chat.id, limit)
        return View([self._seen(person, post) for post in posts], typing, drafts)

    def _seen(self, person: Account, post: Post) -> Seen:
        replied = self.posts.get(post.reply_to) if post.reply_to else None
        return Seen(
            id=post.message_id(person.id),
            post=post.id,
            sender=post.sender,
            text=post.text,
            entities=post.entities,
            media=post.media,
            date=post.date,
            edited=post.edit_date is not None,
            reply_to=replied.ids.get(post.box_of(person.id)) if replied else None,
            reactions=post.reactions,
            topic=self.topics.message_id(post, person.id),
        )

    # -- waiting ----------------------------------------------------------------------------------------------------
    async def wait_for(self, predicate: Callable[[Action], bool], limit: float = 5, since: int | None = None) -> Action:
        """The first action that fits, among those after number `since` (default: from now on).

        TimeoutError after `limit` seconds.
        """
        seq = self.record.last_seq if since is None else since
        async with asyncio.timeout(limit):
            while True:
                for action in self.record.all(seq):
                    seq = action.seq
                    if predicate(action):
                        return action
                await self.record.more(seq)

    async def ask(self, who: Account, bot: Account, text: str, limit: float = 5) -> Post:
        """Say something to a bot in private and wait for its next message to that person."""
        since = self.record.last_seq
        self.say(who, bot, text)
        answer = await self.wait_for(lambda a: (a.kind, a.account, a.chat) == ("send", bot.id, who.id), limit, since)
        return self.posts.get(answer.post or 0)


def _boxes(sender: Account, chat: Peer) -> list[int]:
    if isinstance(chat, Account):
        return list(dict.fromkeys([sender.id, chat.id]))
    return [chat.id] if chat.kind == "supergroup" else sorted(chat.members)


def _nobody_listens(_events: Sequence[AnyEvent]) -> None:
    """Until a server listens, updates wait in their boxes."""
