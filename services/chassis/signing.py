"""Bytes that only the holders of a key can have written."""

import hashlib
import hmac

from services.chassis.errors import Denied


def sign(key: bytes, content: bytes) -> bytes:
    """HMAC-SHA256 of the content."""
    return hmac.digest(key, content, hashlib.sha256)


def check(key: bytes, content: bytes, signature: bytes) -> None:
    """Compare in constant time.

    Raises:
        Denied: The content was not signed with this key.
    """
    if not hmac.compare_digest(sign(key, content), signature):
        raise Denied("The signature does not fit the content.", reason="BAD_SIGNATURE")
