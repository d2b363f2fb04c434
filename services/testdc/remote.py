"""Client of the control port: what tests, the bench and the command line use from other processes."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any

from services.testdc.faults import Fault
from services.testdc.lines import Lines
from services.testdc.model import (
    Account,
    Action,
    Entity,
    Group,
    GroupKind,
    MediaKind,
    Peer,
    Seen,
    View,
    action_from,
    box_of,
    int_keys,
)


@dataclass(frozen=True, slots=True)
class Said:
    """A message that was just said: its post, and its message ids by box."""

    post: int
    chat: int
    ids: dict[int, int]

    def message_id(self, viewer: int) -> int:
        """The message's id as this account sees it; KeyError if it does not."""
        return self.ids[box_of(self.chat, viewer)]


class Sandbox(Lines):
    """The sandbox from another process: `async with Sandbox.connect(host, port, token) as sandbox`.

    Requests may be made at the same time. Every method raises SandboxError when it is refused and ConnectionError
    when the sandbox is gone. Accounts, groups and chats are given as they came from here, posts by their id.
    """

    # -- who there is -----------------------------------------------------------------------------------------------
    async def add_user(self, name: str, username: str | None = None) -> Account:
        """A new person."""
        return Account(**(await self.request("add_user", name=name, username=username))["account"])

    async def add_bot(
        self, name: str, token: str | None = None, username: str | None = None, *, forum: bool = False
    ) -> Account:
        """A new bot; with the token of a known one, that bot. Forum: private chats with it have topics."""
        fields = {"name": name, "token": token, "username": username, "forum": forum}
        return Account(**(await self.request("add_bot", **fields))["account"])

    async def add_group(
        self,
        title: str,
        *members: Account,
        kind: GroupKind = "supergroup",
        admins: Iterable[Account] = (),
        forum: bool = False,
    ) -> Group:
        """A new group; admins are members too."""
        ids = {"members": _ids(members), "admins": _ids(admins), "forum": forum}
        return _group((await self.request("add_group", title=title, kind=kind, **ids))["group"])

    async def accounts(self) -> tuple[list[Account], list[Group]]:
        """Everybody, and all groups."""
        found = await self.request("accounts")
        return [Account(**one) for one in found["accounts"]], [_group(one) for one in found["groups"]]

    async def join(self, account: Account, group: Group, *, admin: bool = False) -> None:
        """Become a member."""
        await self.request("join", account=account.id, chat=group.id, admin=admin)

    async def leave(self, account: Account, group: Group) -> None:
        """Be no member any more."""
        await self.request("leave", account=account.id, chat=group.id)

    async def block(self, who: Account, bot: Account) -> None:
        """Want to hear no more from a bot."""
        await self.request("block", who=who.id, bot=bot.id)

    async def unblock(self, who: Account, bot: Account) -> None:
        """Want to hear from a bot again."""
        await self.request("unblock", who=who.id, bot=bot.id)

    # -- what people do and see -------------------------------------------------------------------------------------
    async def say(
        self,
        who: Account,
        chat: Peer,
        text: str,
        *,
        entities: Sequence[Entity] = (),
        reply_to: int | None = None,
        media: MediaKind | None = None,
        topic: int | None = None,
    ) -> Said:
        """A person says something; `reply_to` is a post, `topic` the post that began it."""
        optional = {"entities": list(entities), "reply_to": reply_to, "media": media, "topic": topic}
        return _said(chat, await self.request("say", **_say(who, chat, text), **optional))

    async def say_many(self, messages: Iterable[tuple[Account, Peer, str]]) -> list[Said]:
        """Many messages, as fast as the sandbox can."""
        messages = list(messages)
        fields = [_say(who, chat, text) for who, chat, text in messages]
        posts = (await self.request("say_many", messages=fields))["posts"]
        return [_said(chat, post) for post, (_, chat, _) in zip(posts, messages, strict=True)]

    async def edit(self, who: Account, post: int, text: str, *, entities: Sequence[Entity] = ()) -> None:
        """Change an own message."""
        await self.request("edit", who=who.id, post=post, text=text, entities=list(entities))

    async def delete(self, who: Account, *posts: int) -> None:
        """Delete for everybody."""
        await self.request("delete", who=who.id, posts=list(posts))

    async def react(self, who: Account, post: int, *emoji: str) -> None:
        """Set one's reaction, or with none take it away."""
        await self.request("react", who=who.id, post=post, emoji=list(emoji))

    async def begin_topic(self, who: Account, chat: Peer, title: str) -> Said:
        """A new topic; the post that began it."""
        return _said(chat, await self.request("begin_topic", who=who.id, chat=chat.id, title=title))

    async def close_topic(self, who: Account, topic: int, *, closed: bool = True) -> None:
        """Only admins write in it from now on, or everybody again."""
        await self.request("close_topic", who=who.id, topic=topic, closed=closed)

    async def delete_topic(self, who: Account, topic: int) -> None:
        """The topic is gone with all that was said in it."""
        await self.request("delete_topic", who=who.id, topic=topic)

    async def press_stop(self, who: Account, bot: Account, topic: int | None = None) -> None:
        """Press the stop button of what the bot streams."""
        await self.request("press_stop", who=who.id, bot=bot.id, topic=topic)

    async def view(self, who: Account, chat: Peer, limit: int = 100, topic: int | None = None) -> View:
        """The chat as this person sees it now; what is typed and streamed in that topic, or outside of topics."""
        view = (await self.request("view", who=who.id, chat=chat.id, limit=limit, topic=topic))["view"]
        messages = [Seen(**{**one, "reactions": int_keys(one["reactions"])}) for one in view["messages"]]
        return View(messages, view["typing"], int_keys(view["drafts"]))

    # -- the record -------------------------------------------------------------------------------------------------
    async def record(self, since: int = 0, limit: int = 1000) -> list[Action]:
        """At most `limit` (1,000) actions after that number."""
        return [action_from(one) for one in (await self.request("record", since=since, limit=limit))["actions"]]

    async def last_seq(self) -> int:
        """The number of the last action."""
        return int((await self.request("record", limit=0))["last_seq"])

    async def wait_for(self, predicate: Callable[[Action], bool], limit: float = 5, since: int | None = None) -> Action:
        """The first action that fits, after that number (None: from now on); TimeoutError after `limit` seconds."""
        async with asyncio.timeout(limit), aclosing(self.watch(since)) as actions:
            async for action in actions:
                if predicate(action):
                    return action
        raise AssertionError("a watch ends only with an error")

    async def ask(self, who: Account, bot: Account, text: str, limit: float = 5) -> Action:
        """Say something to a bot in private and wait for its next message to that person."""
        since = await self.last_seq()
        await self.say(who, bot, text)
        return await self.wait_for(lambda a: (a.kind, a.account, a.chat) == ("send", bot.id, who.id), limit, since)

    # -- how the data centre behaves --------------------------------------------------------------------------------
    async def limits(self, **changes: Any) -> dict[str, Any]:
        """Change some limits (see `limits.Limits`; a rate is a list of two numbers); all limits as they are then."""
        return dict((await self.request("limits", set=changes))["limits"])

    async def fault(
        self,
        method: str,
        fault: Fault,
        *,
        account: Account | None = None,
        times: int | None = 1,
        probability: float = 1.0,
    ) -> None:
        """Queue a fault for `times` calls of a method (None: until cleared)."""
        chances = {"times": times or 0, "probability": probability, "account": _id(account)}
        await self.request("fault", method=method, **asdict(fault), **chances)

    async def clear_faults(self, seed: int | None = None) -> None:
        """Forget queued faults, end dropping, holding and doubling of pushes; a seed begins chances anew."""
        await self.request("clear_faults", seed=seed)

    async def calls(self) -> dict[str, int]:
        """How often each method was called."""
        return dict((await self.request("calls"))["counts"])

    async def unknown_calls(self) -> list[str]:
        """What clients asked that the sandbox could not answer."""
        return list((await self.request("unknown_calls"))["unknown_calls"])

    # -- what a network and a service can do to clients -------------------------------------------------------------
    async def kill_connections(self, account: Account | None = None, *, reset: bool = False) -> None:
        """Cut the connections of one account, or all, by end of file or by reset."""
        await self.request("kill_connections", account=_id(account), reset=reset)

    async def freeze(self, account: Account | None = None) -> None:
        """The open connections of one account, or all, go silent; new ones work."""
        await self.request("freeze", account=_id(account))

    async def thaw(self) -> None:
        """Frozen connections go on."""
        await self.request("thaw")

    async def refuse(self) -> None:
        """New connections are refused."""
        await self.request("refuse")

    async def accept(self) -> None:
        """New connections are accepted again."""
        await self.request("accept")

    async def transport_error(self, code: int = 429, account: Account | None = None) -> None:
        """A transport error on the open connections."""
        await self.request("transport_error", code=code, account=_id(account))

    async def log_out(self, account: Account) -> None:
        """End the account's logins."""
        await self.request("log_out", account=account.id)

    async def forget_keys(self, account: Account | None = None) -> None:
        """Keys of one account, or all, are unknown from now on."""
        await self.request("forget_keys", account=_id(account))

    async def change_salt(self) -> None:
        """All salts are old now."""
        await self.request("change_salt")

    async def drop_pushes(self, count: int, chat: Peer | None = None) -> None:
        """Lose the next pushes, of one chat (as the client sees it) or of all; 0 ends it."""
        await self.request("drop_pushes", count=count, chat=_id(chat))

    async def hold_pushes(self) -> None:
        """Keep pushes back."""
        await self.request("hold_pushes")

    async def release_pushes(self, *, reverse: bool = False) -> None:
        """Send what was kept back, in order or reversed."""
        await self.request("release_pushes", reverse=reverse)

    async def duplicate_pushes(self, *, on: bool) -> None:
        """Send every push twice."""
        await self.request("duplicate_pushes", on=on)

    async def push_raw(self, account: Account, body: bytes, *, with_answer: bool = False) -> None:
        """Any bytes as a message of the server, at once or in the same container as the next answer."""
        await self.request("push_raw", account=account.id, body=body.hex(), with_answer=with_answer)

    async def push_too_long(self, account: Account, group: Group | None = None) -> None:
        """Tell the client to ask for the difference, of the account or of a supergroup."""
        await self.request("push_too_long", account=account.id, chat=_id(group))


def _say(who: Account, chat: Peer, text: str) -> dict[str, Any]:
    return {"who": who.id, "chat": chat.id, "text": text}


def _said(chat: Peer, post: Mapping[str, Any]) -> Said:
    return Said(post["post"], chat.id, int_keys(post["ids"]))


def _id(peer: Peer | None) -> int | None:
    return peer.id if peer else None


def _ids(accounts: Iterable[Account]) -> list[int]:
    return [account.id for account in accounts]


def _group(fields: Mapping[str, Any]) -> Group:
    return Group(**{**fields, "members": set(fields["members"]), "admins": set(fields["admins"])})
