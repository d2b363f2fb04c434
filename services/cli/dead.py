"""Dead letters: list, show, replay, drop."""

import json as jsons
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from services.chassis import client
from services.chassis.client import Caller
from services.cli import table
from services.cli.ask import running_house
from valor.pipeline.v1 import pipeline_pb2 as pb
from valor.pipeline.v1 import pipeline_pb2_grpc as rpc

PATIENCE = 10.0
PAGE = 200
COLUMNS = ("LETTER", "KIND", "SINCE", "CHAT", "MESSAGE", "REASON", "CAUSE")
WIDEST = 60
"""Characters of a cause in a table; `show` has all of it."""


class Letters:
    """The pipeline's dead letters."""

    def __init__(self, caller: Caller) -> None:
        self._caller, self._stub = caller, rpc.PipelineServiceStub(caller.channel)

    async def all(self) -> list[pb.DeadLetter]:
        """Every letter, newest first."""
        found: list[pb.DeadLetter] = []
        token = ""
        while True:
            request = pb.ListDeadLettersRequest(page_size=PAGE, page_token=token)
            page = await self._caller.call(self._stub.ListDeadLetters, request, timeout=PATIENCE)
            found += page.dead_letters
            token = page.next_page_token
            if not token:
                return found

    async def one(self, letter_id: str) -> pb.GetDeadLetterResponse:
        """A letter with what it holds."""
        request = pb.GetDeadLetterRequest(letter_id=letter_id)
        return await self._caller.call(self._stub.GetDeadLetter, request, timeout=PATIENCE)

    async def replay(self, letter_id: str) -> str:
        """Replay a letter; the turn that answers now."""
        request = pb.ReplayDeadLetterRequest(letter_id=letter_id)
        return (await self._caller.call(self._stub.ReplayDeadLetter, request, timeout=PATIENCE)).turn_id

    async def drop(self, letter_id: str) -> None:
        """Drop a letter."""
        request = pb.DropDeadLetterRequest(letter_id=letter_id)
        await self._caller.call(self._stub.DropDeadLetter, request, timeout=PATIENCE)


async def show_all(*, json: bool) -> None:
    """Print every letter."""
    async with _letters() as letters:
        found = await letters.all()
    if json:
        _print_json([_plain(letter) for letter in found])
    elif found:
        sys.stdout.write(table.text(COLUMNS, [_row(letter) for letter in found]))
    else:
        sys.stdout.write("There are no dead letters.\n")


async def show(letter_id: str, *, json: bool) -> None:
    """Print one letter and what it holds."""
    async with _letters() as letters:
        found = await letters.one(letter_id)
    plain = _plain(found.dead_letter)
    if json:
        _print_json({**plain, "content": found.content})
        return
    lines = [f"{name.replace('_', ' '):<12} {value}" for name, value in plain.items() if value != ""]
    sys.stdout.write("\n".join(lines) + f"\n\n{found.content}\n")


async def replay(letter_ids: Sequence[str]) -> None:
    """Replay letters."""
    async with _letters() as letters:
        for letter_id in letter_ids:
            turn_id = await letters.replay(letter_id)
            answers = f": turn {turn_id} answers it now" if turn_id else ""
            sys.stdout.write(f"Letter {letter_id} is replayed{answers}.\n")


async def drop(letter_ids: Sequence[str]) -> None:
    """Drop letters."""
    async with _letters() as letters:
        for letter_id in letter_ids:
            await letters.drop(letter_id)
            sys.stdout.write(f"Letter {letter_id} is dropped.\n")


@asynccontextmanager
async def _letters() -> AsyncIterator[Letters]:
    run = running_house()
    async with client.connect(run.addresses["pipeline"], run.credential) as caller:
        yield Letters(caller)


def _plain(letter: pb.DeadLetter) -> dict[str, Any]:
    return {
        "letter": letter.letter_id,
        "kind": pb.DeadLetterKind.Name(letter.kind).removeprefix("DEAD_LETTER_KIND_").lower(),
        "since": letter.create_time.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "turn": letter.turn_id,
        "channel": letter.account.channel,
        "account": letter.account.account_id,
        "chat": letter.address.chat_id or "",
        "topic": letter.address.topic_id or "",
        "message": letter.message_id or "",
        "reason": letter.reason,
        "cause": letter.cause,
    }


def _row(letter: pb.DeadLetter) -> list[str]:
    plain = _plain(letter)
    cause = " ".join(letter.cause.split())
    short = cause if len(cause) <= WIDEST else f"{cause[: WIDEST - 1]}…"
    return [str(plain[name.lower()]) for name in COLUMNS[:-1]] + [short]


def _print_json(value: object) -> None:
    sys.stdout.write(jsons.dumps(value, ensure_ascii=False, indent=1) + "\n")
