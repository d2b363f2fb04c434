"""The status page and its JSON, for whoever shows a password."""

import asyncio
import base64
import binascii
import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from google.protobuf.json_format import MessageToDict

from services.chassis.errors import SettingsError
from services.monitor import messages, page
from services.monitor.status import Reporter, Status

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""The page loads nothing, runs nothing, and is shown nowhere else."""


@asynccontextmanager
async def serve(listen: str, reporter: Reporter, passwords: Sequence[str]) -> AsyncIterator[str]:
    """Show what the reporter knows until the block ends; yields the address. Without passwords nobody gets in.

    Raises:
        SettingsError: The address cannot be listened on.
    """
    app = web.Application(middlewares=[_door(passwords)])
    app.router.add_get("/", _page(reporter))
    app.router.add_get("/status.json", _json(reporter))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        yield await _listen(runner, listen)
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, listen: str) -> str:
    host, _, port = listen.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except OSError:
        raise SettingsError(f"Cannot listen on {listen}: the address is taken or not ours.") from None
    return f"{host}:{runner.addresses[0][1]}"


def _page(reporter: Reporter) -> Handler:
    async def show(_request: web.Request) -> web.Response:
        text = await asyncio.to_thread(page.html, await reporter.status())
        return web.Response(text=text, content_type="text/html", headers=HEADERS)

    return show


def _json(reporter: Reporter) -> Handler:
    async def show(_request: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(_plain, await reporter.status()), headers=HEADERS)

    return show


def _plain(found: Status) -> dict[str, Any]:
    """What nobody knows is left out; zeros are not."""
    return MessageToDict(
        messages.status(found), preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _door(passwords: Sequence[str]) -> Middleware:
    @web.middleware
    async def door(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not may_enter(request.headers.get("Authorization", ""), passwords):
            challenge = {"WWW-Authenticate": 'Basic realm="Valor", charset="UTF-8"', **HEADERS}
            return web.Response(status=401, text="This page needs a password.\n", headers=challenge)
        return await handler(request)

    return door


def may_enter(authorization: str, passwords: Sequence[str]) -> bool:
    """A header shows one of the passwords: as a Bearer token, or with any name as Basic."""
    kind, _, shown = authorization.partition(" ")
    if kind.lower() == "basic":
        try:
            shown = base64.b64decode(shown, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
    elif kind.lower() != "bearer":
        return False
    matches = [hmac.compare_digest(shown.encode(errors="replace"), password.encode()) for password in passwords]
    return any(matches)
