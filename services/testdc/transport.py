"""TCP transports of MTProto, without I/O: bytes in, packets out.

Full, abridged, intermediate and padded intermediate; the last three also obfuscated
(https://core.telegram.org/mtproto/mtproto-transports).
"""

import os
import struct
from collections.abc import Iterator
from typing import Any, Protocol
from zlib import crc32

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

MAX_PACKET = 4 << 20


class Framing(Protocol):
    """How packets are cut out of the byte stream."""

    def take(self, buffer: bytearray) -> bytes | None:
        """Remove one whole packet from the buffer; None while it is incomplete."""

    def frame(self, packet: bytes) -> bytes:
        """The packet as it goes on the wire."""


class Full:
    """Length, sequence number and checksum around every packet; Telethon's default."""

    def __init__(self) -> None:
        self._sent = self._taken = 0

    def take(self, buffer: bytearray) -> bytes | None:
        """Remove one packet; ValueError for a wrong length, sequence number or checksum."""
        if len(buffer) < 8:
            return None
        length, number = struct.unpack_from("<ii", buffer)
        if not 12 <= length <= MAX_PACKET or number != self._taken:
            raise ValueError(f"bad full frame: length {length}, number {number}, expected {self._taken}")
        frame = _cut(buffer, 0, length)
        if frame is None:
            return None
        if crc32(frame[:-4]) != int.from_bytes(frame[-4:], "little"):
            raise ValueError("bad checksum of a full frame")
        self._taken += 1
        return frame[8:-4]

    def frame(self, packet: bytes) -> bytes:
        """The packet with length, number and checksum."""
        out = struct.pack("<ii", len(packet) + 12, self._sent) + packet
        self._sent += 1
        return out + struct.pack("<I", crc32(out))


class Abridged:
    """One or four bytes of length, counted in words of four bytes."""

    def take(self, buffer: bytearray) -> bytes | None:
        """Remove one packet; the quick-acknowledgement bit is ignored."""
        if not buffer:
            return None
        words = buffer[0] & 0x7F
        if words < 0x7F:
            return _cut(buffer, 1, words * 4)
        if len(buffer) < 4:
            return None
        return _cut(buffer, 4, int.from_bytes(buffer[1:4], "little") * 4)

    def frame(self, packet: bytes) -> bytes:
        """The packet behind its length in words."""
        words = len(packet) // 4
        return (bytes([words]) if words < 0x7F else b"\x7f" + words.to_bytes(3, "little")) + packet


class Intermediate:
    """Four bytes of length."""

    def take(self, buffer: bytearray) -> bytes | None:
        """Remove one packet; the quick-acknowledgement bit is ignored."""
        if len(buffer) < 4:
            return None
        return _cut(buffer, 4, int.from_bytes(buffer[:4], "little") & 0x7FFFFFFF)

    def frame(self, packet: bytes) -> bytes:
        """The packet behind its length."""
        return struct.pack("<I", len(packet)) + packet


class PaddedIntermediate(Intermediate):
    """Intermediate with 0 to 15 random bytes behind every packet."""

    def take(self, buffer: bytearray) -> bytes | None:
        """Remove one packet without its padding: MTProto packets are words of four bytes."""
        packet = super().take(buffer)
        return packet and packet[: len(packet) - len(packet) % 4]

    def frame(self, packet: bytes) -> bytes:
        """The packet, padded by fewer than four bytes, so that `take` of any client finds its end."""
        return super().frame(packet + os.urandom(os.urandom(1)[0] % 4))


_TAGS: dict[bytes, type[Abridged | Intermediate]] = {
    b"\xef" * 4: Abridged,
    b"\xee" * 4: Intermediate,
    b"\xdd" * 4: PaddedIntermediate,
}


class Transport:
    """The server's side of one TCP connection; recognises the client's transport by its first bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._framing: Framing | None = None
        self._decryptor: Any = None
        self._encryptor: Any = None

    def receive(self, data: bytes) -> Iterator[bytes]:
        """Packets completed by these bytes; ValueError when they are no MTProto."""
        self._buffer += self._decryptor.update(data) if self._decryptor else data
        if self._framing is None:
            self._framing = self._recognise()
        while self._framing and (packet := self._framing.take(self._buffer)) is not None:
            yield packet

    def frame(self, packet: bytes) -> bytes:
        """The packet as bytes for the client, whose transport must be known by now."""
        if self._framing is None:
            raise ValueError("nothing can be sent before the client's transport is known")
        out = self._framing.frame(packet)
        return self._encryptor.update(out) if self._encryptor else out

    def frame_error(self, code: int) -> bytes:
        """A transport error: a packet that is a negative number.

        With the full transport a flood was seen to come bare, three times over (Telethon issue 4042).
        """
        number = struct.pack("<i", -code)
        return number * 3 if code == 429 and isinstance(self._framing, Full) else self.frame(number)

    def _recognise(self) -> Framing | None:
        buffer = self._buffer
        if buffer[:1] == b"\xef":
            del buffer[:1]
            return Abridged()
        if bytes(buffer[:4]) in _TAGS:
            return _TAGS[bytes(_cut(buffer, 0, 4) or b"")]()
        if len(buffer) >= 8 and buffer[4:8] == bytes(4):  # the first number of the full transport
            return Full()
        header = _cut(buffer, 0, 64)
        return self._deobfuscate(header) if header else None

    def _deobfuscate(self, header: bytes) -> Framing:
        reverse = header[8:56][::-1]
        self._decryptor = Cipher(algorithms.AES(header[8:40]), modes.CTR(header[40:56])).decryptor()
        self._encryptor = Cipher(algorithms.AES(reverse[:32]), modes.CTR(reverse[32:48])).encryptor()
        tag = self._decryptor.update(header)[56:60]
        if tag not in _TAGS:
            raise ValueError("unknown transport")
        self._buffer[:] = self._decryptor.update(bytes(self._buffer))
        return _TAGS[tag]()


def _cut(buffer: bytearray, start: int, length: int) -> bytes | None:
    if length > MAX_PACKET:
        raise ValueError(f"packet of {length} bytes is too large")
    end = start + length
    if len(buffer) < end:
        return None
    packet = bytes(buffer[start:end])
    del buffer[:end]
    return packet
