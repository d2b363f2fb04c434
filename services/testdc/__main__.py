"""`python -m services.testdc`: the environment makes a listening data centre with its control port.

Files in the folder VALOR_SECRETS, named like the variables, count as well.
`python -m services.testdc public-key` prints what clients have to know of the key TESTDC_KEY.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from services.testdc.control import Control
from services.testdc.crypto import ServerKey
from services.testdc.model import RpcFail
from services.testdc.server import TestDC
from services.testdc.store import FolderError

LONG = 32
"""Characters of a token that may cross a network."""


def with_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment, and where it is silent the files in VALOR_SECRETS. SystemExit where that is no folder."""
    if not (folder := environ.get("VALOR_SECRETS")):
        return dict(environ)
    if not Path(folder).is_dir():
        _exit(f"VALOR_SECRETS: {folder} is no folder")
    files = {file.name: file.read_text().strip() for file in Path(folder).glob("TESTDC_*")}
    return {**files, **environ}


def _exit(sentence: str) -> NoReturn:
    sys.stderr.write(f"testdc: {sentence}\n")
    raise SystemExit(2)


def _required(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or _exit(f"{name} is not set")


def _address(environ: Mapping[str, str], name: str) -> tuple[str, int]:
    host, _, port = _required(environ, name).rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        _exit(f"{name} has to be host:port, as in 127.0.0.1:7001")
    return host, int(port)


def _key(environ: Mapping[str, str]) -> ServerKey | None:
    if not (path := environ.get("TESTDC_KEY")):
        return None
    try:
        return ServerKey.from_pem(Path(path).read_bytes())
    except (OSError, TypeError, ValueError):
        _exit(f"TESTDC_KEY: {path} is no private RSA key in PEM form")


def show_key(environ: Mapping[str, str]) -> None:
    """Print the public half of TESTDC_KEY: clients have to know it."""
    key = _key(environ) or _exit("TESTDC_KEY is not set")
    sys.stdout.write(key.public_pem)


async def serve(environ: Mapping[str, str]) -> None:
    """Serve until SIGTERM or SIGINT; SystemExit with code 2 and a sentence when the environment is wrong."""
    folder, token = Path(_required(environ, "TESTDC_FOLDER")), _required(environ, "TESTDC_TOKEN")
    listen, control_address = _address(environ, "TESTDC_LISTEN"), _address(environ, "TESTDC_CONTROL")
    if not control_address[0].startswith("127.") and len(token) < LONG:
        _exit(f"TESTDC_TOKEN needs {LONG} characters where TESTDC_CONTROL is no loopback address")
    try:
        dc = TestDC(folder, key=_key(environ), host=listen[0], port=listen[1])
        if bot_token := environ.get("TESTDC_BOT_TOKEN"):
            dc.world.add_bot("Sandbox", bot_token)
    except FolderError as err:
        _exit(f"TESTDC_FOLDER: {err}")
    except RpcFail:
        _exit("TESTDC_BOT_TOKEN is no bot token")
    (folder / "server_key.pem").write_text(dc.server_key.public_pem)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if environ.get("VALOR_STOP_WITH_PARENT"):  # the end of standard input is the end of the process that started us
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    try:
        async with dc, Control(dc, token, *control_address) as control:
            where = {"address": f"{dc.host}:{dc.port}", "control": f"{control.host}:{control.port}"}
            sys.stderr.write(json.dumps({"event": "serving", "service": "testdc", **where}) + "\n")
            await stop.wait()
    except OSError as err:
        _exit(f"TESTDC_LISTEN or TESTDC_CONTROL: {err.strerror}")


if __name__ == "__main__":
    if sys.argv[1:] == ["public-key"]:
        show_key(os.environ)
    else:
        asyncio.run(serve(with_secrets(os.environ)))
