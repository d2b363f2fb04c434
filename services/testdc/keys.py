"""The server's own key and the authorisation keys of its clients, in memory and on disk."""

import os
from collections.abc import Iterator

from services.testdc.crypto import ServerKey
from services.testdc.sessions import AuthKey
from services.testdc.store import Store


class Keys:
    """Authorisation keys by their id."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: dict[bytes, AuthKey] = {}
        for key, salt, account in store.rows("SELECT key, salt, account FROM auth_keys"):
            known = AuthKey(key, salt, account)
            self._keys[known.cipher.key_id] = known

    def __iter__(self) -> Iterator[AuthKey]:
        return iter(list(self._keys.values()))

    def server_key(self, given: ServerKey | None = None) -> ServerKey:
        """The given key, else the one on disk, else a new one; it is on disk from now on."""
        pem = self._store.fact("server_key")
        key = given or (ServerKey.from_pem(pem) if pem else ServerKey.generate())
        self._store.set_fact("server_key", key.private_pem)
        return key

    def find(self, key_id: bytes) -> AuthKey | None:
        """The key of that id."""
        return self._keys.get(key_id)

    def add(self, key: bytes) -> AuthKey:
        """A key that was agreed on."""
        added = AuthKey(key)
        self._keys[added.cipher.key_id] = added
        self.save(added)
        return added

    def provision(self, account: int) -> bytes:
        """A new key that is logged in already; its 256 bytes."""
        key = self.add(os.urandom(256))
        key.account = account
        self.save(key)
        return key.cipher.key

    def save(self, key: AuthKey) -> None:
        """Put salt and account on disk."""
        self._store.execute(
            "INSERT OR REPLACE INTO auth_keys VALUES (?, ?, ?, ?)",
            key.cipher.key_id,
            key.cipher.key,
            key.salt,
            key.account,
        )

    def forget(self, key: AuthKey) -> None:
        """The key is unknown from now on: -404 for who uses it."""
        key.account = None
        self._keys.pop(key.cipher.key_id, None)
        self._store.execute("DELETE FROM auth_keys WHERE id = ?", key.cipher.key_id)
