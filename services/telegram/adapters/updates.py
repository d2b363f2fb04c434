"""Reads Telegram's differences."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from telethon import functions as f
from telethon import types as t

from services.chassis import logs
from services.telegram.adapters import translate
from services.telegram.adapters.client import Client
from services.telegram.adapters.store import SqlStore
from services.telegram.adapters.translate import People
from services.telegram.model import Cursor, Incoming, Poison, Refused, Slice, Unreadable, channel_chat_id

log = logs.get()

UNKNOWN_TIME = frozenset({"PERSISTENT_TIMESTAMP_EMPTY", "PERSISTENT_TIMESTAMP_INVALID"})
"""The box was never at the number that we come from."""

PIECE = 100
"""Updates of a supergroup in one answer; bots may ask for more, but smaller pieces hold nothing up."""


class TelegramUpdates:
    """`ports.Updates` over Telethon."""

    def __init__(self, client: Client, store: SqlStore) -> None:
        self._client, self._store = client, store

    async def state(self) -> Cursor:
        """Where the account's box stands now."""
        return _cursor(await self._client.ask(f.updates.GetStateRequest()))

    async def difference(self, cursor: Cursor) -> Slice:
        """What happened since the cursor, or the first piece of it."""
        date = dt.datetime.fromtimestamp(cursor.date, dt.UTC)
        request = f.updates.GetDifferenceRequest(pts=cursor.pts, date=date, qts=cursor.qts)
        try:
            found = await self._client.ask(request)
        except Unreadable:
            return await self._step(request, cursor)
        except Refused as refusal:
            if refusal.reason not in UNKNOWN_TIME:
                raise
            state = await self.state()
            return Slice(pts=state.pts, final=True, cursor=state, too_long=True)
        return await self._read(found, cursor)

    async def _step(self, request: Any, cursor: Cursor) -> Slice:
        """One update only; one that nobody can read is buried unread."""
        request.pts_limit = 1
        try:
            return await self._read(await self._client.ask(request), cursor)
        except Unreadable as error:
            beyond = replace(cursor, pts=cursor.pts + 1)
            return Slice(pts=beyond.pts, final=False, cursor=beyond, poison=(_unread(0, beyond.pts, error),))

    async def _read(self, found: Any, cursor: Cursor) -> Slice:
        if isinstance(found, t.updates.DifferenceEmpty):
            moved = Cursor(cursor.pts, cursor.qts, int(found.date.timestamp()))
            return Slice(pts=cursor.pts, final=True, cursor=moved)
        if isinstance(found, t.updates.DifferenceTooLong):
            return Slice(pts=found.pts, final=False, cursor=Cursor(found.pts, cursor.qts, cursor.date), too_long=True)
        final = isinstance(found, t.updates.Difference)
        state = found.state if final else found.intermediate_state
        late = tuple(u.channel_id for u in found.other_updates if isinstance(u, t.UpdateChannelTooLong))
        return await self._slice(found, state.pts, final=final, channels=late, cursor=_cursor(state))

    async def channel_difference(self, channel_id: int, pts: int) -> Slice | None:
        """What happened in a supergroup since; None where the account may not know."""
        access_hash = await self._store.access_hash(channel_chat_id(channel_id))
        channel = t.InputChannel(channel_id, access_hash)
        request = f.updates.GetChannelDifferenceRequest(channel, t.ChannelMessagesFilterEmpty(), max(1, pts), PIECE)
        try:
            return await self._read_channel(await self._client.ask(request))
        except Unreadable:
            return await self._step_channel(request)
        except Refused as refusal:
            log.warning("supergroup_refused", channel_id=channel_id, reason=refusal.reason)
            return Slice(pts=1, final=False, too_long=True) if refusal.reason in UNKNOWN_TIME and pts > 1 else None

    async def _step_channel(self, request: Any) -> Slice:
        request.limit = 1
        try:
            return await self._read_channel(await self._client.ask(request))
        except Unreadable as error:
            beyond = request.pts + 1
            return Slice(pts=beyond, final=False, poison=(_unread(request.channel.channel_id, beyond, error),))

    async def _read_channel(self, found: Any) -> Slice:
        final = bool(found.final)
        if isinstance(found, t.updates.ChannelDifferenceEmpty):
            return Slice(pts=found.pts, final=True)
        if isinstance(found, t.updates.ChannelDifferenceTooLong):
            people = People(found.users, found.chats)
            messages, poison = _messages(found.messages, (), people)
            return Slice(found.dialog.pts, final=final, messages=messages, poison=poison, too_long=True)
        return await self._slice(found, found.pts, final=final, channels=(), cursor=None)

    async def _slice(
        self, found: Any, pts: int, *, final: bool, channels: tuple[int, ...], cursor: Cursor | None
    ) -> Slice:
        people = People(found.users, found.chats)
        hashes = people.access_hashes()
        if hashes:
            await self._store.know(hashes)
        messages, poison = _messages(found.new_messages, found.other_updates, people)
        return Slice(
            pts=pts,
            final=final,
            messages=messages,
            poison=poison,
            deleted=translate.deletions(found.other_updates),
            sent=translate.sent(found.other_updates),
            channels=channels,
            cursor=cursor,
        )


def _messages(
    new: Iterable[Any], others: Iterable[Any], people: People
) -> tuple[tuple[Incoming, ...], tuple[Poison, ...]]:
    """New and edited messages, each once with its last wording, oldest first; and what cannot be translated.

    A message and its edits in one difference share one version, so only the last wording may be handed over.
    """
    found: dict[tuple[int, int], Incoming] = {}
    poison: list[Poison] = []
    for message in new:
        written = translate.incoming(message, people, poison)
        if written is not None:
            found[written.chat_id, written.message_id] = written
    for update in others:
        message, edited = translate.written_in(update)
        written = translate.incoming(message, people, poison, edited=edited)
        if written is not None:
            first = found.get((written.chat_id, written.message_id), written)
            found[written.chat_id, written.message_id] = replace(written, edited=first.edited)
    return tuple(sorted(found.values(), key=lambda written: written.message_id)), tuple(poison)


def _unread(box: int, pts: int, error: Unreadable) -> Poison:
    return Poison(f"update {pts} of box {box}", str(error))


def _cursor(state: Any) -> Cursor:
    return Cursor(state.pts, state.qts, int(state.date.timestamp()))
