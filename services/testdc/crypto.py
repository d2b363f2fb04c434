"""Cryptography of the server's side: RSA key, Diffie-Hellman group, message encryption.

https://core.telegram.org/mtproto/auth_key and https://core.telegram.org/mtproto/description
"""

import os
import secrets
from hashlib import sha1, sha256

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from telethon.crypto import AES
from telethon.tl import TLObject

# Telegram's own published prime: some clients accept no other, and with it g = 3 generates the prime-order subgroup.
DH_PRIME = int(
    "C71CAEB9C6B1C9048E6C522F70F13F73980D40238E3E21C14934D037563D930F48198A0AA7C14058229493D22530F4DB"
    "FA336F6E0AC925139543AED44CCE7C3720FD51F69458705AC68CD4FE6B6B13ABDC9746512969328454F18FAF8C595F64"
    "2477FE96BB2A941D5BCD1D4AC8CC49880708FA9B378E3C4F3A9060BEE67CF9A4A4A695811051907E162753B56B0F6B41"
    "0DBA74D8A84B2A14B3144E0EF1284754FD17ED950D5965B4B9DD46582DB1178D169C6BC465B0D6FF9CA3928FEF5B9AE4"
    "E418FC15E83EBEA0F87FA9FF5EED70050DED2849F47BF959D956850CE929851F0D8115F635B105EE2E4E15D04B2454BF"
    "6F4FADF034B10403119CD8E3B92FCC5B",
    16,
)
DH_G = 3


def is_prime(n: int) -> bool:
    """Miller-Rabin with the first twelve primes as bases: exact below 3e24, as good as certain above."""
    bases = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
    if n < 2 or any(n % a == 0 for a in bases):
        return n in bases
    shift = ((n - 1) & (1 - n)).bit_length() - 1
    return all(_passes(n, a, shift) for a in bases)


def _passes(n: int, base: int, shift: int) -> bool:
    x = pow(base, (n - 1) >> shift, n)
    if x in (1, n - 1):
        return True
    for _ in range(shift - 1):
        x = x * x % n
        if x == n - 1:
            return True
    return False


def random_factors() -> tuple[int, int]:
    """Two different primes of 31 bits, the smaller first; the client has to find them from their product."""
    p, q = _random_prime(), _random_prime()
    while p == q:
        q = _random_prime()
    return min(p, q), max(p, q)


def _random_prime() -> int:
    while not is_prime(n := secrets.randbits(31) | 1 << 30 | 1):
        pass
    return n


def int_bytes(n: int) -> bytes:
    """A natural number in big endian without leading zeros, as MTProto writes them."""
    return n.to_bytes((n.bit_length() + 7) // 8, "big")


def nonce_key(server_nonce: int, new_nonce: int) -> tuple[bytes, bytes]:
    """Temporary AES key and IV of the key exchange, from the two nonces."""
    server = server_nonce.to_bytes(16, "little", signed=True)
    new = new_nonce.to_bytes(32, "little", signed=True)
    mixed = _sha1(server + new)
    return _sha1(new + server) + mixed[:12], mixed[12:20] + _sha1(new + new) + new[:4]


def _sha1(data: bytes) -> bytes:
    return sha1(data, usedforsecurity=False).digest()


class ServerKey:
    """The RSA key by which clients recognise this server."""

    def __init__(self, private: rsa.RSAPrivateKey) -> None:
        self._private = private
        numbers = private.private_numbers()
        self._d, self._n = numbers.d, numbers.public_numbers.n
        parts = (
            TLObject.serialize_bytes(int_bytes(self._n)),
            TLObject.serialize_bytes(int_bytes(numbers.public_numbers.e)),
        )
        self.fingerprint = int.from_bytes(_sha1(b"".join(parts))[-8:], "little", signed=True)

    @classmethod
    def generate(cls) -> "ServerKey":
        """A new key of 2,048 bits."""
        return cls(rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @classmethod
    def from_pem(cls, pem: bytes) -> "ServerKey":
        """The key that `private_pem` wrote; ValueError when it is none."""
        private = load_pem_private_key(pem, None)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise TypeError("the server key is no RSA key")
        return cls(private)

    @property
    def private_pem(self) -> bytes:
        """The whole key, unencrypted: a secret."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    @property
    def public_pem(self) -> str:
        """The public half as PKCS#1, the form that Telethon's `crypto.rsa.add_key` takes."""
        return self._private.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()

    def decrypt(self, data: bytes) -> bytes:
        """The serialized p_q_inner_data of req_DH_params with its padding behind it.

        Understands both paddings: SHA-1 in front (Telethon) and RSA_PAD (official clients).
        """
        block = pow(int.from_bytes(data, "big"), self._d, self._n).to_bytes(256, "big")
        temp_key = bytes(a ^ b for a, b in zip(block[:32], sha256(block[32:]).digest(), strict=True))
        padded = AES.decrypt_ige(block[32:], temp_key, bytes(32))
        body: bytes = padded[:192][::-1]
        if sha256(temp_key + body).digest() == padded[192:]:
            return body
        return block[21:]


class MessageCipher:
    """MTProto 2.0 encryption under one authorisation key."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        digest = _sha1(key)
        self.key_id = digest[-8:]
        self._aux_hash = digest[:8]

    def nonce_hash(self, new_nonce: int) -> int:
        """The proof in dh_gen_ok that both sides have the same key."""
        data = new_nonce.to_bytes(32, "little", signed=True) + b"\x01" + self._aux_hash
        return int.from_bytes(_sha1(data)[4:20], "little", signed=True)

    def decrypt(self, packet: bytes) -> bytes:
        """Salt, session, message and padding of a client's packet; ValueError when it was tampered with."""
        msg_key, body = packet[8:24], packet[24:]
        if not body or len(body) % 16:
            raise ValueError("encrypted part is no whole number of blocks")
        plain: bytes = AES.decrypt_ige(body, *self._aes(msg_key, 0))
        if sha256(self.key[88:120] + plain).digest()[8:24] != msg_key:
            raise ValueError("msg_key does not match")
        return plain

    def encrypt(self, plain: bytes) -> bytes:
        """A packet for the client, padded by 12 to 27 bytes."""
        plain += os.urandom(-(len(plain) + 12) % 16 + 12)
        msg_key = sha256(self.key[96:128] + plain).digest()[8:24]
        encrypted: bytes = AES.encrypt_ige(plain, *self._aes(msg_key, 8))
        return self.key_id + msg_key + encrypted

    def _aes(self, msg_key: bytes, x: int) -> tuple[bytes, bytes]:
        a = sha256(msg_key + self.key[x : x + 36]).digest()
        b = sha256(self.key[40 + x : 76 + x] + msg_key).digest()
        return a[:8] + b[8:24] + a[24:32], b[:8] + a[8:24] + b[24:32]


def sha1_framed(data: bytes) -> bytes:
    """Data behind its SHA-1, padded to whole AES blocks: the form of the key exchange's encrypted parts."""
    framed = _sha1(data) + data
    return framed + os.urandom(-len(framed) % 16)


def is_sha1_framed(framed: bytes, length: int) -> bool:
    """Whether the `length` bytes behind the hash are those it was made of."""
    return _sha1(framed[20 : 20 + length]) == framed[:20]
