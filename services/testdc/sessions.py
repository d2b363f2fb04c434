"""What the server remembers of its clients: authorisation keys and their sessions."""

import asyncio
import os
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from services.testdc.crypto import MessageCipher

if TYPE_CHECKING:
    from services.testdc.mtproto import Connection

MAX_SESSIONS = 20
MAX_SEEN = 2000
MAX_UNACKNOWLEDGED = 1000
ANSWER, PUSH = 1, 3


class Outgoing(NamedTuple):
    """A message of the server, ready to be put into a packet."""

    msg_id: int
    seq_no: int
    body: bytes


class AuthKey:
    """An authorisation key; it outlives connections and, on disk, the server."""

    def __init__(self, key: bytes, salt: int | None = None, account: int | None = None) -> None:
        self.cipher = MessageCipher(key)
        self.salt = int.from_bytes(os.urandom(8), "little", signed=True) if salt is None else salt
        self.account = account
        self.dead = False
        self.sessions: OrderedDict[int, Session] = OrderedDict()
        self._newest: Connection | None = None
        self._newest_since = 0.0

    def session(self, session_id: int) -> tuple["Session", bool]:
        """The session of that id, and whether it is new; the oldest is forgotten when there are too many."""
        if known := self.sessions.get(session_id):
            return known, False
        session = self.sessions[session_id] = Session(self, session_id)
        if len(self.sessions) > MAX_SESSIONS:
            self.sessions.popitem(last=False)
        return session, True

    def is_used_twice(self, connection: "Connection", now: float, grace: float) -> bool:
        """Whether an older connection still speaks `grace` seconds after a newer one, still open, began to.

        A plain reconnect closes the old connection first and never comes here.
        """
        newest = self._newest
        if newest is None or newest.closed or connection.number > newest.number:
            self._newest, self._newest_since = connection, now
            return False
        return connection is not newest and now - self._newest_since > grace


class Session:
    """One MTProto session: a random id, chosen by the client, under one key."""

    def __init__(self, key: AuthKey, session_id: int) -> None:
        self.key, self.id = key, session_id
        self.connection: Connection | None = None
        self.wants_updates = False
        self.pending: dict[int, asyncio.Future[None]] = {}
        """Calls that are not answered yet, by message id; done when they are."""
        self.outbox: list[Outgoing] = []
        self.stowaways: list[bytes] = []
        """Bodies that go into the same container as the next answer."""
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._unacknowledged: OrderedDict[int, Outgoing] = OrderedDict()
        self._content_sent = 0
        self._last_message_id = 0

    def first_time(self, msg_id: int) -> bool:
        """Whether this message of the client was not seen before; the last 2,000 are remembered."""
        if msg_id in self._seen:
            return False
        self._seen[msg_id] = None
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)
        return True

    def has_seen(self, msg_id: int) -> bool:
        """Whether this message of the client arrived."""
        return msg_id in self._seen

    def answer(self, body: bytes) -> None:
        """Send the answer to a call."""
        self._queue(Outgoing(self.new_message_id(ANSWER), self._content_seq_no(), body), content=True)

    def push(self, body: bytes) -> None:
        """Send something the client did not ask for."""
        self._queue(Outgoing(self.new_message_id(PUSH), self._content_seq_no(), body), content=True)

    def reply(self, body: bytes) -> None:
        """Send a service message, which needs no acknowledgement."""
        self._queue(Outgoing(self.new_message_id(ANSWER), self.seq_no(), body), content=False)

    def _queue(self, message: Outgoing, *, content: bool) -> None:
        if content:
            self._unacknowledged[message.msg_id] = message
            if len(self._unacknowledged) > MAX_UNACKNOWLEDGED:
                self._unacknowledged.popitem(last=False)
        if self.connection:
            self.outbox.append(message)
            self.connection.schedule_flush()

    def new_message_id(self, kind: int) -> int:
        """A higher id than all before, made of the time; the two low bits are the kind."""
        now = int(time.time() * 2**32) & ~3
        self._last_message_id = max(now, (self._last_message_id & ~3) + 4)
        return self._last_message_id | kind

    def seq_no(self) -> int:
        """The sequence number of a message without content: twice the messages with content before it."""
        return self._content_sent * 2

    def _content_seq_no(self) -> int:
        self._content_sent += 1
        return self._content_sent * 2 - 1

    def acknowledge(self, msg_ids: list[int]) -> None:
        """The client has these."""
        for msg_id in msg_ids:
            self._unacknowledged.pop(msg_id, None)

    def attach(self, connection: "Connection") -> None:
        """The session speaks through this connection from now on; what was not acknowledged is sent again.

        It goes ahead in packets of its own: a client may throw away a packet with a message that it had before, as
        kurigram does, and with it the answer that it waits for.
        """
        self.connection = connection
        self.outbox = list(self._unacknowledged.values())
        connection.flush()
