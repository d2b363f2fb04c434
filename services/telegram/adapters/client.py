"""Telethon, with its habits changed. All of its private names that we touch stand in this file, each with a test.

- `_update_loop`: updates go to us as they come. Telethon's own loop advances its state before handlers ran, drops
  edits and deletions inside a difference, and skips what is "too long".
- `_handle_auto_reconnect`, `_init_request`: after a reconnect we say again who we are, and read the difference;
  Telethon does nothing, and Telegram may fall back to an older layer.
- `_flood_waited_requests`: Telethon remembers flood waits per request type, so one chat's wait would block all
  chats.
- `_sender.send`: one try of a call. Telethon's own way sleeps 2 s after every fault of the server's, whatever is set.
- `_sender._start_reconnect`, `_sender._pending_state`: Telethon makes the calls that were under way again on the next
  connection, even those that we gave up long ago. Who called has to look first, so calls end with their connection.
- `_sender._ping`: the sign of life that Telethon asks for each minute ends with its connection as well. Telethon takes
  one that stays without an answer for a dead connection, each minute anew.
- `_sender._reconnect_task`: Telethon lets a second reconnect begin while the first one still tries, and they end each
  other's connections.
- `Connection._send`: the last line before the wire, where a process that may not speak for the account is stopped.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from telethon import TelegramClient, errors, functions
from telethon.crypto import rsa
from telethon.errors.rpcerrorlist import rpc_errors_dict
from telethon.network import ConnectionTcpFull
from telethon.tl.alltlobjects import LAYER

from services.chassis import logs
from services.telegram.adapters.session import DatabaseSession
from services.telegram.metrics import CALL_SECONDS, CALLS, RECONNECTS
from services.telegram.model import Away, FloodWait, LoggedOut, Refused, Unreadable

log = logs.get()

PATIENCE = 10.0
"""Seconds. Telethon never gives up on a request that gets no answer; we do."""

LOGIN_PATIENCE = 30.0
"""Seconds for all that a login needs: key exchange, several calls, perhaps another data centre."""

LOST_KEY = (errors.AuthKeyNotFound, errors.AuthKeyDuplicatedError, errors.UnauthorizedError)

WORDS = {kind: word for word, kind in rpc_errors_dict.items()}
"""Telegram's own words for what it refuses; Telethon's errors have prose in their place."""


class _Forget(dict[int, float]):
    """A memory for flood waits that keeps nothing: `pace` keeps them, per chat."""

    def __setitem__(self, key: int, value: float) -> None:
        """Forget it."""


class Client(TelegramClient):  # type: ignore[misc] # Telethon is untyped
    """One connection to Telegram. Calls are made by `ask` alone."""

    def __init__(
        self,
        session: DatabaseSession,
        api_id: int,
        api_hash: str,
        *,
        on_updates: Callable[[Any], Awaitable[None]],
        on_reconnect: Callable[[], None],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(
            session,
            api_id,
            api_hash,
            connection=_guarded(check),
            connection_retries=None,
            retry_delay=1,
            request_retries=1,
            raise_last_call_error=True,
            flood_sleep_threshold=0,
            device_model="Valor",
            app_version="1",
            lang_code="en",
        )
        self._flood_waited_requests = _Forget()
        self._on_updates, self._on_reconnect = on_updates, on_reconnect
        self._usable = asyncio.Event()
        self._start_reconnect, self._sender._start_reconnect = self._sender._start_reconnect, self._break_off  # noqa: SLF001

    async def open(self) -> None:
        """Connect; raises as `ask` does."""
        try:
            with _translated():
                async with asyncio.timeout(LOGIN_PATIENCE):
                    await self.connect()
        except BaseException:
            await self.disconnect()  # half a connection would count as one
            with suppress(Exception):
                await self.disconnected  # the same error; unseen, it would be logged as forgotten
            raise
        self._usable.set()

    async def ask(self, request: Any) -> Any:
        """Make a call.

        Raises:
            Away: No answer in time, a lost connection, or a fault of the server's; whether it was done is unknown.
            FloodWait: Not now.
            Refused: Never.
            LoggedOut: The account's authorisation is gone.
        """
        with _measured(type(request).__name__.removesuffix("Request")), _translated():
            async with asyncio.timeout(PATIENCE):
                await self._usable.wait()
                return await self._sender.send(request)

    async def log_in(self, request: Any) -> Any:
        """Make a call that may move the account to another data centre; raises as `ask` does."""
        with _measured(type(request).__name__.removesuffix("Request")), _translated():
            async with asyncio.timeout(LOGIN_PATIENCE):
                return await self(request)

    async def lost(self) -> None:
        """Wait until the connection ends and Telethon makes no other.

        Raises:
            LoggedOut: The account's authorisation is gone.
            Away: Anything else.
        """
        with _translated():
            await self.disconnected
        raise Away("the connection was closed")

    def reconnect(self) -> None:
        """Make a new connection, unless one is being made; calls under way are Away."""
        self._break_off(None)

    def _break_off(self, error: Exception | None) -> None:
        self._usable.clear()
        for state in self._sender._pending_state.values():  # noqa: SLF001
            state.future.cancel()
        self._sender._pending_state.clear()  # noqa: SLF001
        self._sender._ping = None  # noqa: SLF001
        trying = self._sender._reconnect_task  # noqa: SLF001
        if trying is None or trying.done():
            self._start_reconnect(error)

    async def _update_loop(self) -> None:
        while True:
            updates = await self._updates_queue.get()
            await self._on_updates(updates)

    async def _handle_auto_reconnect(self) -> None:
        RECONNECTS.inc()
        self._usable.set()
        self._on_reconnect()
        try:  # a call of this kind tells Telegram that this connection wants updates, and in which layer
            self._init_request.query = functions.updates.GetStateRequest()
            await self.ask(functions.InvokeWithLayerRequest(LAYER, self._init_request))
        except (Away, FloodWait, Refused, LoggedOut) as error:
            log.warning("reconnect_unanswered", cause=str(error))


def _guarded(check: Callable[[], None]) -> type[ConnectionTcpFull]:
    """A connection that asks before it is made, and before every packet."""

    class Guarded(ConnectionTcpFull):  # type: ignore[misc] # Telethon is untyped
        async def connect(self, *args: Any, **options: Any) -> None:
            check()
            await super().connect(*args, **options)

        def _send(self, data: bytes) -> None:
            check()
            super()._send(data)

    return Guarded


OUTCOMES: dict[type[Exception], str] = {
    FloodWait: "flood_wait",
    Refused: "refused",
    LoggedOut: "logged_out",
    Away: "away",
    Unreadable: "away",
}
"""How a call that fails is counted; one that nobody waits for any more is cancelled."""


@contextmanager
def _measured(method: str) -> Iterator[None]:
    start, outcome = time.perf_counter(), "cancelled"
    try:
        yield
        outcome = "ok"
    except tuple(OUTCOMES) as error:
        outcome = OUTCOMES[type(error)]
        raise
    finally:
        CALLS.labels(method, outcome).inc()
        CALL_SECONDS.labels(method).observe(time.perf_counter() - start)


@contextmanager
def _translated() -> Iterator[None]:
    """Telethon's errors in our words. A CancelledError that nobody asked for is a lost connection."""
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise Away("the connection was closed") from None
    except (errors.FloodWaitError, errors.FloodPremiumWaitError, errors.SlowModeWaitError) as error:
        raise FloodWait(error.seconds) from None
    except LOST_KEY as error:
        raise LoggedOut(type(error).__name__) from error
    except (errors.ServerError, errors.TimedOutError, errors.RpcCallFailError) as error:
        raise Away(_word(error)) from None
    except errors.RPCError as error:
        raise Refused(_word(error)) from None
    except errors.TypeNotFoundError as error:
        raise Unreadable(f"constructor {error.invalid_constructor_id:08x}") from None  # its own words quote the answer
    except (OSError, EOFError, ValueError, BufferError, errors.BadMessageError) as error:
        raise Away(type(error).__name__) from error


def _word(error: Any) -> str:
    return WORDS.get(type(error)) or str(error.message)


def trust(pem: str) -> None:
    """Accept a data centre that holds the private half of this RSA key (PKCS#1 PEM)."""
    rsa.add_key(pem, old=False)
