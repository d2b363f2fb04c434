"""Encrypted MTProto messages of one connection: containers, acknowledgements, salts, gzip, calls and answers.

https://core.telegram.org/mtproto/description and https://core.telegram.org/mtproto/service_messages
"""

import asyncio
import gzip
import itertools
import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from telethon.extensions import BinaryReader
from telethon.tl import TLObject
from telethon.tl import functions as f
from telethon.tl import types as t
from telethon.tl.core import GzipPacked, MessageContainer

from services.testdc.crypto import ServerKey
from services.testdc.handshake import Handshake
from services.testdc.sessions import ANSWER, PUSH, AuthKey, Outgoing, Session

GZIP_OVER = 512
CONTAINER_MESSAGES = 100
CONTAINER_BYTES = 512 * 1024
RPC_RESULT, VECTOR, BOOL_TRUE, BOOL_FALSE = 0xF35C6D01, 0x1CB5C415, 0x997275B5, 0xBC799737
BAD_SALT, TOO_OLD, TOO_NEW = 48, 16, 17

_numbers = itertools.count(1)


class Socket(Protocol):
    """What carries the packets of a connection."""

    frozen: bool

    def send(self, packet: bytes) -> None:
        """Write one packet."""

    def send_error(self, code: int) -> None:
        """Write a transport error."""

    def cut(self) -> None:
        """End the connection at once."""


class Host(Protocol):
    """What a connection needs of its data centre."""

    server_key: ServerKey

    def find_key(self, key_id: bytes) -> AuthKey | None:
        """The authorisation key of that id, if it is known."""

    def add_key(self, key: bytes) -> AuthKey:
        """Remember a key that was agreed on."""

    def check_use(self, key: AuthKey, connection: "Connection") -> None:
        """Note that the connection speaks with this key; a key used twice at once dies."""

    def invoke(self, call: "Invocation") -> None:
        """Carry a call out and answer it, now or later."""

    def save(self) -> None:
        """Put on disk all that happened; called before any bytes go out."""


@dataclass
class Invocation:
    """One call of a client, its wrappers taken off."""

    session: Session
    msg_id: int
    request: Any
    wants_updates: bool
    after: list[int]


class Connection:
    """One connection of a client; knows packets and messages, not sockets and not Telegram."""

    def __init__(self, host: Host, socket: Socket) -> None:
        self.number = next(_numbers)
        self.closed = False
        self.session: Session | None = None
        self._host, self._socket = host, socket
        self._handshake: Handshake | None = None
        self._flush_scheduled = False

    # -- in ---------------------------------------------------------------------------------------------------------
    def receive(self, packet: bytes) -> None:
        """Handle one packet; ValueError (or what the TL reader raises) when it is damaged."""
        if len(packet) < 24:
            return
        if packet[:8] == bytes(8):
            self._receive_plain(packet)
        else:
            self._receive_encrypted(packet)

    def _receive_plain(self, packet: bytes) -> None:
        self._handshake = self._handshake or Handshake(self._host.server_key)
        body = bytes(self._handshake.answer(_read(packet[20:])))
        if self._handshake.key:
            self._host.add_key(self._handshake.key)
            self._handshake = None
            self._host.save()
        msg_id = int(time.time()) << 32 | ANSWER
        self._socket.send(bytes(8) + struct.pack("<qi", msg_id, len(body)) + body)

    def _receive_encrypted(self, packet: bytes) -> None:
        key = self._host.find_key(packet[:8])
        if key is None:
            self.send_transport_error(404)
            return
        plain = key.cipher.decrypt(packet)
        self._host.check_use(key, self)
        salt, session_id, msg_id, seq_no, length = struct.unpack_from("<qqqii", plain)
        session = self._enter(key, session_id, msg_id)
        age = time.time() - (msg_id >> 32)
        if not -30 < age < 300:
            session.reply(bytes(t.BadMsgNotification(msg_id, seq_no, TOO_OLD if age > 0 else TOO_NEW)))
        elif salt != key.salt:
            session.reply(bytes(t.BadServerSalt(msg_id, seq_no, BAD_SALT, key.salt)))
        else:
            self._message(session, msg_id, _read(plain[32 : 32 + length]))

    def _enter(self, key: AuthKey, session_id: int, first_msg_id: int) -> Session:
        current = self.session
        if current and (current.key, current.id, current.connection) == (key, session_id, self):
            return current
        self.flush()
        session, is_new = key.session(session_id)
        self.session = session
        session.attach(self)
        if is_new:
            unique_id = int.from_bytes(os.urandom(8), "little", signed=True)
            session.push(bytes(t.NewSessionCreated(first_msg_id, unique_id, key.salt)))
        return session

    def _message(self, session: Session, msg_id: int, message: Any) -> None:
        if isinstance(message, MessageContainer):
            for inner in message.messages:
                self._message(session, inner.msg_id, inner.obj)
        elif isinstance(message, GzipPacked):
            self._message(session, msg_id, _read(message.data))
        elif self._serve(session, msg_id, message):
            return
        elif session.first_time(msg_id):
            self._host.invoke(_unwrap(session, msg_id, message))
        else:  # executed before: the answer is on its way or arrived
            session.reply(bytes(t.MsgsAck([msg_id])))

    def _serve(self, session: Session, msg_id: int, message: Any) -> bool:
        """Handle a service message; False when it is none."""
        match message:
            case t.MsgsAck():
                session.acknowledge(message.msg_ids)
            case f.PingRequest() | f.PingDelayDisconnectRequest():
                session.reply(bytes(t.Pong(msg_id, message.ping_id)))
            case f.GetFutureSaltsRequest():
                session.reply(bytes(t.FutureSalts(msg_id, int(time.time()), [])))
            case t.MsgsStateReq():
                info = "".join("\x04" if session.has_seen(i) else "\x01" for i in message.msg_ids)
                session.reply(bytes(t.MsgsStateInfo(msg_id, info)))
            case f.DestroySessionRequest():
                known = session.key.sessions.pop(message.session_id, None)
                answer = t.DestroySessionOk if known else t.DestroySessionNone
                session.reply(bytes(answer(message.session_id)))
            case t.MsgsStateInfo() | t.MsgsAllInfo() | t.MsgResendReq():
                pass
            case _:
                return False
        return True

    # -- out --------------------------------------------------------------------------------------------------------
    def schedule_flush(self) -> None:
        """Write what is queued at the end of this turn of the event loop, in as few packets as possible."""
        if not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Write what is queued, after everything it may speak of is on disk."""
        self._flush_scheduled = False
        session = self.session
        if session is None or session.connection is not self or self._socket.frozen or not session.outbox:
            return
        self._host.save()
        outbox, session.outbox = session.outbox, []
        head = struct.pack("<qq", session.key.salt, session.id)
        for batch in _batches(outbox):
            self._socket.send(session.key.cipher.encrypt(head + self._packed(session, batch)))

    def _packed(self, session: Session, batch: list[Outgoing]) -> bytes:
        parts = [struct.pack("<qii", m.msg_id, m.seq_no, len(m.body)) + m.body for m in batch]
        if len(parts) == 1:
            return parts[0]
        body = struct.pack("<Ii", MessageContainer.CONSTRUCTOR_ID, len(parts)) + b"".join(parts)
        return struct.pack("<qii", session.new_message_id(PUSH), session.seq_no(), len(body)) + body

    def send_transport_error(self, code: int) -> None:
        """A bare negative number instead of a packet: 404 unknown key, 429 transport flood."""
        self._socket.send_error(code)

    def cut(self) -> None:
        """End the connection at once."""
        self._socket.cut()

    def close(self) -> None:
        """The connection is gone; its session waits for another."""
        self.closed = True
        if self.session and self.session.connection is self:
            self.session.connection = None
            self.session.outbox = []


def rpc_result(msg_id: int, result: Any) -> bytes:
    """The answer to a call, compressed when that is shorter."""
    body = _serialize(result)
    if len(body) > GZIP_OVER:
        packed = TLObject.serialize_bytes(gzip.compress(body, 1))
        body = min(body, struct.pack("<I", GzipPacked.CONSTRUCTOR_ID) + packed, key=len)
    return struct.pack("<Iq", RPC_RESULT, msg_id) + body


def _serialize(result: Any) -> bytes:
    if isinstance(result, bool):
        return struct.pack("<I", BOOL_TRUE if result else BOOL_FALSE)
    if isinstance(result, list):
        return struct.pack("<Ii", VECTOR, len(result)) + b"".join(bytes(item) for item in result)
    return bytes(result)


def _read(data: bytes) -> Any:
    with BinaryReader(data) as reader:
        return reader.tgread_object()


def _unwrap(session: Session, msg_id: int, request: Any) -> Invocation:
    call = Invocation(session, msg_id, request, wants_updates=True, after=[])
    while isinstance(call.request, _WRAPPERS):
        if isinstance(call.request, f.InvokeWithoutUpdatesRequest):
            call.wants_updates = False
        elif isinstance(call.request, f.InvokeAfterMsgRequest):
            call.after.append(call.request.msg_id)
        call.request = call.request.query
    return call


_WRAPPERS = (
    f.InvokeWithLayerRequest,
    f.InitConnectionRequest,
    f.InvokeWithoutUpdatesRequest,
    f.InvokeAfterMsgRequest,
)


def _batches(outbox: list[Outgoing]) -> Iterator[list[Outgoing]]:
    batch: list[Outgoing] = []
    size = 0
    for message in outbox:
        if batch and (len(batch) == CONTAINER_MESSAGES or size + len(message.body) > CONTAINER_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += len(message.body)
    if batch:
        yield batch
