"""Creation of an authorisation key, the server's side (https://core.telegram.org/mtproto/auth_key)."""

import os
import secrets
import time
from typing import Any

from telethon.crypto import AES
from telethon.extensions import BinaryReader
from telethon.tl import functions as f
from telethon.tl import types as t

from services.testdc.crypto import (
    DH_G,
    DH_PRIME,
    MessageCipher,
    ServerKey,
    int_bytes,
    is_sha1_framed,
    nonce_key,
    random_factors,
    sha1_framed,
)


class Handshake:
    """One key exchange: three requests, each answered in turn; then `key` holds the 256 bytes agreed on."""

    def __init__(self, server_key: ServerKey) -> None:
        self._server_key = server_key
        self._server_nonce = int.from_bytes(os.urandom(16), "little", signed=True)
        self._factors = random_factors()
        self._secret = secrets.randbelow(DH_PRIME - 2) + 1
        self._new_nonce = 0
        self.key: bytes | None = None

    def answer(self, request: Any) -> Any:
        """The answer to the next request; ValueError when it breaks the exchange."""
        if isinstance(request, f.ReqPqMultiRequest | f.ReqPqRequest):
            p, q = self._factors
            return t.ResPQ(request.nonce, self._server_nonce, int_bytes(p * q), [self._server_key.fingerprint])
        if isinstance(request, f.ReqDHParamsRequest):
            return self._parameters(request)
        if isinstance(request, f.SetClientDHParamsRequest):
            return self._finish(request)
        raise ValueError(f"{type(request).__name__} has to be encrypted")

    def _parameters(self, request: Any) -> Any:
        if tuple(int.from_bytes(n, "big") for n in (request.p, request.q)) != self._factors:
            raise ValueError("wrong factors")
        with BinaryReader(self._server_key.decrypt(request.encrypted_data)) as reader:
            inner = reader.tgread_object()
        if (inner.nonce, inner.server_nonce) != (request.nonce, self._server_nonce):
            raise ValueError("nonces do not match")
        self._new_nonce = inner.new_nonce
        offer = t.ServerDHInnerData(
            nonce=request.nonce,
            server_nonce=self._server_nonce,
            g=DH_G,
            dh_prime=int_bytes(DH_PRIME),
            g_a=int_bytes(pow(DH_G, self._secret, DH_PRIME)),
            server_time=int(time.time()),
        )
        encrypted = AES.encrypt_ige(sha1_framed(bytes(offer)), *self._aes())
        return t.ServerDHParamsOk(request.nonce, self._server_nonce, encrypted)

    def _finish(self, request: Any) -> Any:
        framed = AES.decrypt_ige(request.encrypted_data, *self._aes())
        with BinaryReader(framed[20:]) as reader:
            inner = reader.tgread_object()
            length = reader.tell_position()
        if not is_sha1_framed(framed, length) or inner.nonce != request.nonce:
            raise ValueError("the client's part of the exchange is damaged")
        self.key = pow(int.from_bytes(inner.g_b, "big"), self._secret, DH_PRIME).to_bytes(256, "big")
        proof = MessageCipher(self.key).nonce_hash(self._new_nonce)
        return t.DhGenOk(request.nonce, self._server_nonce, proof)

    def _aes(self) -> tuple[bytes, bytes]:
        return nonce_key(self._server_nonce, self._new_nonce)
