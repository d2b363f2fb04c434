import os
from hashlib import sha256
from typing import Any

import pytest
import rsa as plain_rsa
from telethon.crypto import AES, AuthKey, rsa
from telethon.network.mtprotostate import MTProtoState
from telethon.tl.functions import PingRequest

from services.testdc.crypto import DH_G, DH_PRIME, MessageCipher, ServerKey, is_prime, random_factors


@pytest.fixture(scope="module")
def key() -> ServerKey:
    return ServerKey.generate()


class Loggers:
    def __getitem__(self, name: str) -> None:
        return None


def test_the_prime_is_safe_and_3_generates_its_large_subgroup() -> None:
    assert DH_PRIME.bit_length() == 2048
    assert is_prime(DH_PRIME)
    assert is_prime((DH_PRIME - 1) // 2)
    assert (DH_G, DH_PRIME % 3) == (3, 2)


@pytest.mark.parametrize(("n", "prime"), [(2, True), (37, True), (41, True), (1, False), (561, False), (2**31, False)])
def test_primes_are_told_from_others(n: int, prime: bool) -> None:
    assert is_prime(n) is prime


def test_factors_are_two_different_primes_of_31_bits() -> None:
    p, q = random_factors()
    assert p < q
    assert is_prime(p)
    assert is_prime(q)
    assert {p.bit_length(), q.bit_length()} == {31}


def test_the_fingerprint_is_the_one_that_the_client_computes(key: ServerKey) -> None:
    rsa.add_key(key.public_pem, old=False)
    assert rsa.encrypt(key.fingerprint, b"data") is not None


def test_a_key_survives_its_pem(key: ServerKey) -> None:
    again = ServerKey.from_pem(key.private_pem)
    assert (again.fingerprint, again.public_pem) == (key.fingerprint, key.public_pem)


def test_the_padding_of_telethon_is_taken_off(key: ServerKey) -> None:
    rsa.add_key(key.public_pem, old=False)
    assert key.decrypt(rsa.encrypt(key.fingerprint, b"inner data")).startswith(b"inner data")


def test_the_padding_of_official_clients_is_taken_off(key: ServerKey) -> None:
    public = plain_rsa.PublicKey.load_pkcs1(key.public_pem.encode())
    assert key.decrypt(rsa_pad(public, b"inner data")).startswith(b"inner data")


def rsa_pad(public: Any, data: bytes) -> bytes:
    """RSA_PAD of https://core.telegram.org/mtproto/auth_key, step 4.1."""
    while True:
        padded, temp_key = data + os.urandom(192 - len(data)), os.urandom(32)
        with_hash = padded[::-1] + sha256(temp_key + padded).digest()
        encrypted = AES.encrypt_ige(with_hash, temp_key, bytes(32))
        block = bytes(a ^ b for a, b in zip(temp_key, sha256(encrypted).digest(), strict=True)) + encrypted
        if int.from_bytes(block, "big") < public.n:
            encrypted_block: bytes = pow(int.from_bytes(block, "big"), public.e, public.n).to_bytes(256, "big")
            return encrypted_block


def test_messages_pass_between_the_client_and_the_cipher_both_ways() -> None:
    secret = os.urandom(256)
    client, cipher = MTProtoState(AuthKey(secret), Loggers()), MessageCipher(secret)
    plain = cipher.decrypt(client.encrypt_message_data(b"x" * 32))
    assert plain[16:48] == b"x" * 32
    assert int.from_bytes(cipher.key_id, "little") == AuthKey(secret).key_id
    body = bytes(PingRequest(5))
    head = client.salt.to_bytes(8, "little") + client.id.to_bytes(8, "little", signed=True)
    message = (client._get_new_msg_id() | 1).to_bytes(8, "little") + bytes(4) + len(body).to_bytes(4, "little") + body
    assert client.decrypt_message_data(cipher.encrypt(head + message)).obj.ping_id == 5


@pytest.mark.parametrize("damage", [lambda p: p[:30] + bytes([p[30] ^ 1]) + p[31:], lambda p: p[:-1], lambda p: p[:24]])
def test_a_damaged_message_is_refused(damage: Any) -> None:
    secret = os.urandom(256)
    packet = MTProtoState(AuthKey(secret), Loggers()).encrypt_message_data(b"x" * 32)
    with pytest.raises(ValueError, match=r"msg_key|blocks"):
        MessageCipher(secret).decrypt(damage(packet))
