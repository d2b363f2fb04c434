"""Telethon's session in our tables: the login is durable, and nothing else is kept in it.

Telethon's own SQLite session keeps a write transaction open for a minute; its memory session searches all peers
linearly.
"""

from typing import Any

from telethon.crypto import AuthKey
from telethon.sessions import MemorySession

from services.telegram.adapters.store import SavedSession, SqlStore


class DatabaseSession(MemorySession):  # type: ignore[misc] # Telethon is untyped
    """The login; peers are ours (`peers`), and so is the cursor (`cursor`)."""

    def __init__(self, store: SqlStore) -> None:
        super().__init__()
        self._store = store
        self._saved: SavedSession | None = None

    async def load(self, server: tuple[int, str, int] | None) -> None:
        """Take up the saved login; with none, begin at `server` (data centre, host, port), or at Telegram itself."""
        self._saved = await self._store.session()
        if self._saved is not None:
            self.auth_key = AuthKey(self._saved.auth_key)
            self.set_dc(self._saved.dc_id, self._saved.address, self._saved.port)
        if server is not None:
            self.set_dc(*server)

    async def keep(self) -> None:
        """Keep the login, where it is a new one. Telethon's own `save` does nothing: it would have to be waited for."""
        if self.auth_key is None or not self.auth_key.key:
            return
        login = SavedSession(self.dc_id, self.server_address, self.port, self.auth_key.key)
        if login != self._saved:
            await self._store.save_session(login)
            self._saved = login

    def process_entities(self, tlo: Any) -> None:
        """Keep nothing."""

    def set_update_state(self, entity_id: int, state: Any) -> None:
        """Keep nothing."""
