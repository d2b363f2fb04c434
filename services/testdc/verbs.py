"""What can be asked of the control port. In the table below: verb, fields (? = optional), result.

    add_user           name, username?                              account
    add_bot            name, token?, username?, forum?              account (the known one for a known token)
    add_group          title, members?, admins?, kind? (supergroup), forum?  group
    begin_topic        who, chat, title                             post, ids
    close_topic        who, topic, closed? (true)
    delete_topic       who, topic
    join, leave        account, chat; join also admin?
    block, unblock     who, bot
    accounts                                                        accounts, groups
    say                who, chat, text, entities?, reply_to?, media?, topic?  post, ids
    say_many           messages: a list of fields of say            posts
    edit               who, post, text, entities?
    delete             who, posts
    react              who, post, emoji: a list, empty to take the reaction away
    press_stop         who, bot, topic?: the stop button of what the bot streams
    view               who, chat, limit? (100, 10,000 at most), topic?  view
    record             since? (0), limit? (1000 at most)            actions, last_seq
    limits             set?: some of the limits                     limits
    fault              method, kind, code?, message?, seconds?, account?, times? (1; 0 until cleared), probability? (1)
    clear_faults       seed?: begins the series of chances anew; ends dropping, holding and doubling of pushes too
    kill_connections   account?, reset?
    freeze             account?
    thaw, refuse, accept, change_salt
    transport_error    code? (429), account?
    log_out            account
    forget_keys        account?
    drop_pushes        count, chat?
    hold_pushes, release_pushes (reverse?), duplicate_pushes (on)
    push_raw           account, body: hexadecimal, with_answer?
    push_too_long      account, chat?
    calls                                                           counts, accepted
    unknown_calls                                                   unknown_calls

Accounts are named by id, chats by marked id, posts by their id, topics by the post that began them.
`watch` and `unwatch` belong to the connection, see
`control`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, get_args

from services.testdc.arguments import Arguments, Invalid
from services.testdc.faults import Fault, FaultKind
from services.testdc.model import GroupKind, MediaKind
from services.testdc.server import TestDC

Result = dict[str, Any] | None
SAY_AT_ONCE = 50
MOST_ACTIONS, MOST_MESSAGES = 1000, 10_000


def _add_group(dc: TestDC, args: Arguments) -> Result:
    kind = args.choice("kind", get_args(GroupKind), "supergroup")
    members, admins = args.accounts("members"), args.accounts("admins")
    forum = args.get("forum", bool, False)
    return {"group": dc.world.add_group(args.get("title", str), *members, kind=kind, admins=admins, forum=forum)}


def _add_bot(dc: TestDC, args: Arguments) -> Result:
    token, username = args.get("token", str, None), args.get("username", str, None)
    return {"account": dc.world.add_bot(args.get("name", str), token, username, forum=args.get("forum", bool, False))}


def _begin_topic(dc: TestDC, args: Arguments) -> Result:
    post = dc.world.begin_topic(args.account("who"), args.peer("chat"), args.get("title", str))
    return {"post": post.id, "ids": post.ids}


def _accounts(dc: TestDC, _args: Arguments) -> Result:
    return {"accounts": dc.world.people.accounts(), "groups": dc.world.people.groups()}


def _say(dc: TestDC, args: Arguments) -> Result:
    post = dc.world.say(
        args.account("who"),
        args.peer("chat"),
        args.get("text", str),
        entities=args.entities("entities"),
        reply_to=args.post_or_none("reply_to"),
        media=args.choice("media", get_args(MediaKind), None),
        topic=args.post_or_none("topic"),
    )
    return {"post": post.id, "ids": post.ids}


async def _say_many(dc: TestDC, args: Arguments) -> Result:
    posts = []
    for number, one in enumerate(args.within("messages"), 1):
        posts.append(_say(dc, one))
        if number % SAY_AT_ONCE == 0:
            await asyncio.sleep(0)
    return {"posts": posts}


def _edit(dc: TestDC, args: Arguments) -> Result:
    dc.world.edit(args.account("who"), args.post("post"), args.get("text", str), entities=args.entities("entities"))
    return None


def _react(dc: TestDC, args: Arguments) -> Result:
    dc.world.react(args.account("who"), args.post("post"), *args.several("emoji", str))
    return None


def _record(dc: TestDC, args: Arguments) -> Result:
    actions = dc.world.record.since(args.get("since", int, 0), _limit(args, MOST_ACTIONS, MOST_ACTIONS))
    return {"actions": actions, "last_seq": dc.world.record.last_seq}


def _view(dc: TestDC, args: Arguments) -> Result:
    limit, topic = _limit(args, 100, MOST_MESSAGES), args.post_or_none("topic")
    return {"view": dc.world.view(args.account("who"), args.peer("chat"), limit, topic)}


def _limit(args: Arguments, default: int, most: int) -> int:
    return max(0, min(args.get("limit", int, default), most))


def _limits(dc: TestDC, args: Arguments) -> Result:
    try:
        dc.world.limits.change(args.get("set", dict, {}))
    except ValueError as err:
        raise Invalid("FIELD_INVALID", f'the field "set" is wrong: {err}') from err
    return {"limits": asdict(dc.world.limits)}


def _fault(dc: TestDC, args: Arguments) -> Result:
    fault = Fault(
        args.choice("kind", get_args(FaultKind)),
        args.get("code", int, 0),
        args.get("message", str, ""),
        args.get("seconds", float, 0.0),
    )
    account = args.account_or_all("account")
    try:
        dc.faults.add(
            args.get("method", str),
            fault,
            account=account.id if account else None,
            times=args.get("times", int, 1) or None,
            probability=args.get("probability", float, 1.0),
        )
    except ValueError as err:
        raise Invalid("FIELD_INVALID", f'the field "method" or "kind" is wrong: {err}') from err
    return None


def _clear_faults(dc: TestDC, args: Arguments) -> Result:
    dc.faults.clear()
    dc.delivery.faults.clear()
    seed = args.get("seed", int, None)
    if seed is not None:
        dc.faults.seed(seed)
    return None


def _duplicate_pushes(dc: TestDC, args: Arguments) -> Result:
    dc.delivery.faults.duplicate = args.get("on", bool)
    return None


def _push_raw(dc: TestDC, args: Arguments) -> Result:
    try:
        body = bytes.fromhex(args.get("body", str))
    except ValueError as err:
        raise Invalid("FIELD_INVALID", 'the field "body" has to be hexadecimal') from err
    dc.delivery.push_raw(args.account("account"), body, with_answer=args.get("with_answer", bool, False))
    return None


def _push_too_long(dc: TestDC, args: Arguments) -> Result:
    group = args.group("chat") if args.get("chat", int, None) is not None else None
    dc.delivery.push_too_long(args.account("account"), group)
    return None


VERBS: dict[str, Callable[[TestDC, Arguments], Result | Awaitable[Result]]] = {
    "add_user": lambda dc, a: {"account": dc.world.add_user(a.get("name", str), a.get("username", str, None))},
    "add_bot": _add_bot,
    "add_group": _add_group,
    "begin_topic": _begin_topic,
    "close_topic": lambda dc, a: dc.world.close_topic(
        a.account("who"), a.post("topic"), closed=a.get("closed", bool, True)
    ),
    "delete_topic": lambda dc, a: dc.world.delete_topic(a.account("who"), a.post("topic")),
    "join": lambda dc, a: dc.world.join(a.account("account"), a.group("chat"), admin=a.get("admin", bool, False)),
    "leave": lambda dc, a: dc.world.leave(a.account("account"), a.group("chat")),
    "block": lambda dc, a: dc.world.block(a.account("who"), a.account("bot")),
    "unblock": lambda dc, a: dc.world.unblock(a.account("who"), a.account("bot")),
    "accounts": _accounts,
    "say": _say,
    "say_many": _say_many,
    "edit": _edit,
    "delete": lambda dc, a: dc.world.delete(a.account("who"), *a.posts("posts")),
    "react": _react,
    "press_stop": lambda dc, a: dc.world.signs.press_stop(a.account("who"), a.account("bot"), a.post_or_none("topic")),
    "view": _view,
    "record": _record,
    "limits": _limits,
    "fault": _fault,
    "clear_faults": _clear_faults,
    "kill_connections": lambda dc, a: dc.kill_connections(
        a.account_or_all("account"), reset=a.get("reset", bool, False)
    ),
    "freeze": lambda dc, a: dc.freeze(a.account_or_all("account")),
    "thaw": lambda dc, _: dc.thaw(),
    "refuse": lambda dc, _: dc.refuse(),
    "accept": lambda dc, _: dc.accept(),
    "transport_error": lambda dc, a: dc.send_transport_error(a.get("code", int, 429), a.account_or_all("account")),
    "log_out": lambda dc, a: dc.log_out(a.account("account")),
    "forget_keys": lambda dc, a: dc.forget_keys(a.account_or_all("account")),
    "change_salt": lambda dc, _: dc.change_salt(),
    "drop_pushes": lambda dc, a: dc.delivery.faults.drop(a.get("count", int), a.get("chat", int, None)),
    "hold_pushes": lambda dc, _: dc.delivery.faults.hold(),
    "release_pushes": lambda dc, a: dc.delivery.faults.release(reverse=a.get("reverse", bool, False)),
    "duplicate_pushes": _duplicate_pushes,
    "push_raw": _push_raw,
    "push_too_long": _push_too_long,
    "calls": lambda dc, _: {"counts": dc.world.calls.counts, "accepted": dc.accepted},
    "unknown_calls": lambda dc, _: {"unknown_calls": dc.world.unknown_calls},
}
