import os
import struct
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from services.testdc.transport import MAX_PACKET, Abridged, Full, Intermediate, PaddedIntermediate, Transport

WORDS = st.binary(min_size=6, max_size=700).map(lambda data: data[: len(data) // 4 * 4] or b"four")
FRAMINGS = [(Full, b""), (Abridged, b"\xef"), (Intermediate, b"\xee" * 4), (PaddedIntermediate, b"\xdd" * 4)]


@pytest.mark.parametrize(("framing", "greeting"), FRAMINGS)
@given(packets=st.lists(WORDS, max_size=5), step=st.integers(1, 50))
def test_packets_come_out_as_they_went_in_however_they_are_cut(
    framing: Any, greeting: bytes, packets: list[bytes], step: int
) -> None:
    client, server = framing(), Transport()
    stream = greeting + b"".join(client.frame(packet) for packet in packets)
    received = [p for i in range(0, len(stream), step) for p in server.receive(stream[i : i + step])]
    assert received == packets


@pytest.mark.parametrize(("framing", "greeting"), FRAMINGS)
def test_the_server_answers_in_the_transport_of_the_client(framing: Any, greeting: bytes) -> None:
    server, client = Transport(), framing()
    assert list(server.receive(greeting + framing().frame(b"ping"))) == [b"ping"]
    assert client.take(bytearray(server.frame(b"pong" * 200))) == b"pong" * 200


@pytest.mark.parametrize("framing", [Abridged, Intermediate, PaddedIntermediate])
def test_obfuscated_transports_are_recognised_and_answered(framing: Any) -> None:
    header = bytearray(os.urandom(64))
    header[0:8] = b"\x01" * 8
    encryptor = Cipher(algorithms.AES(bytes(header[8:40])), modes.CTR(bytes(header[40:56]))).encryptor()
    tag = {Abridged: b"\xef", Intermediate: b"\xee", PaddedIntermediate: b"\xdd"}[framing] * 4
    hidden = bytes(header[:56]) + encryptor.update(bytes(header[:56]) + tag + b"1234")[56:]
    reverse = bytes(header[8:56])[::-1]
    decryptor = Cipher(algorithms.AES(reverse[:32]), modes.CTR(reverse[32:48])).decryptor()
    server = Transport()
    stream = hidden + encryptor.update(framing().frame(b"ping"))
    assert [p for byte in stream for p in server.receive(bytes([byte]))] == [b"ping"]
    assert framing().take(bytearray(decryptor.update(server.frame(b"pong")))) == b"pong"


def test_a_wrong_checksum_or_number_of_the_full_transport_is_refused() -> None:
    good = Full().frame(b"ping")
    with pytest.raises(ValueError, match="checksum"):
        list(Transport().receive(good[:-1] + bytes([good[-1] ^ 1])))
    with pytest.raises(ValueError, match="number 0, expected 1"):
        list(Transport().receive(good + good))


def test_a_packet_that_is_too_large_is_refused_before_it_is_there() -> None:
    with pytest.raises(ValueError, match="too large"):
        list(Transport().receive(b"\xee" * 4 + struct.pack("<I", MAX_PACKET + 1)))


def test_bytes_that_are_no_transport_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown transport"):
        list(Transport().receive(b"GET / HTTP/1.1\r\nHost: sandbox\r\n" + b"x" * 64))


def test_nothing_can_be_sent_to_a_client_that_said_nothing() -> None:
    with pytest.raises(ValueError, match="transport is known"):
        Transport().frame(b"pong")
