"""Tells the pipeline of what was buried, so that operators see one list of dead letters, and each of them once."""

import asyncio

from services.chassis import logs
from services.chassis.errors import InvalidArgument, ValorError
from services.telegram.ports import Pipeline, Store

log = logs.get()

POLL = 5.0
"""Seconds between two looks: burials are rare, and nobody waits for the report of one."""


async def run(pipeline: Pipeline, store: Store) -> None:
    """Report in the order of burial, for ever. What was not noted as reported is reported again; that is harmless."""
    while True:
        try:
            await _report(pipeline, store)
        except ValorError as error:
            log.warning("report_failed", reason=error.reason)
        await asyncio.sleep(POLL)


async def _report(pipeline: Pipeline, store: Store) -> None:
    while buried := await store.unreported():
        for number, poison in buried:
            try:
                await pipeline.report(poison)
            except InvalidArgument as error:  # refused once, refused for ever; it stays in our own table
                log.error("report_refused", number=number, cause=error.message)
            await store.reported(number)
