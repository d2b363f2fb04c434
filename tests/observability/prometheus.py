"""A real Prometheus beside a house: it scrapes every process each second, and evaluates the rules of the chart."""

import asyncio
import math
import re
import shutil
import time
from asyncio.subprocess import STDOUT
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.support.process import free_port

RULES = Path(__file__).parents[2] / "charts" / "valor" / "files" / "rules"
NAMESPACE = "valor-test"

QUICKER = 10
"""What the `for` of an alert is divided by here: what has to last a minute lasts six seconds. Nothing else of the rules
is changed: neither expressions nor thresholds nor windows."""

UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass
class Prometheus:
    """A running one, and when it began."""

    session: aiohttp.ClientSession
    url: str
    began: float

    async def values(self, expression: str) -> list[float]:
        """What an expression gave at any time since the beginning; what is no number is nothing."""
        parameters = {"query": expression, "start": self.began, "end": time.time(), "step": "1"}
        found = await self._ask("query_range", parameters)
        values = [float(value) for series in found for _, value in series["values"]]
        return [value for value in values if not math.isnan(value)]

    async def now(self, expression: str) -> float:
        """The one value of an expression now; NaN where there is none."""
        found = await self._ask("query", {"query": expression})
        return float(found[0]["value"][1]) if found else math.nan

    async def fired(self) -> set[str]:
        """The alerts that have fired since the beginning."""
        since = f"{int(time.time() - self.began) + 1}s"
        query = f'count by (alertname) (count_over_time(ALERTS{{alertstate="firing"}}[{since}]))'
        return {series["metric"]["alertname"] for series in await self._ask("query", {"query": query})}

    async def until(self, expression: str, limit: float) -> None:
        """Wait until a condition holds, as Prometheus sees it."""
        async with asyncio.timeout(limit):
            while not await self._ask("query", {"query": expression}):
                await asyncio.sleep(0.3)

    async def until_fired(self, alert: str, limit: float = 90.0) -> None:
        """Wait until an alert fires."""
        await self.until(f'ALERTS{{alertname="{alert}", alertstate="firing"}}', limit)

    async def _ask(self, what: str, parameters: Mapping[str, Any]) -> list[Any]:
        async with self.session.get(f"{self.url}/api/v1/{what}", params=parameters) as answer:
            document = await answer.json()
        assert document["status"] == "success", document
        result: list[Any] = document["data"]["result"]
        return result


@asynccontextmanager
async def prometheus(folder: Path, targets: Mapping[str, str]) -> AsyncIterator[Prometheus]:
    """Scrape these processes, by name, until the block ends."""
    folder.mkdir()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(_configuration(folder, targets)))
    address, program = f"127.0.0.1:{free_port()}", shutil.which("prometheus")
    assert program, "prometheus is not installed; `make observability` does that where root may"
    storage = f"--storage.tsdb.path={folder / 'data'}"
    options = f"--config.file={folder / 'prometheus.yml'}", storage, f"--web.listen-address={address}"
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(program, *options, stdout=log, stderr=STDOUT)
    try:
        async with aiohttp.ClientSession() as session:
            await _ready(session, f"http://{address}")
            yield Prometheus(session, f"http://{address}", time.time())
    finally:
        process.terminate()
        await process.wait()


def _configuration(folder: Path, targets: Mapping[str, str]) -> dict[str, Any]:
    for path in RULES.glob("*.yaml"):
        (folder / path.name).write_text(re.sub(r"\bfor: (\d+)([smh])", _quicker, path.read_text()))
    jobs = [
        {"job_name": name, "static_configs": [{"targets": [address], "labels": {"namespace": NAMESPACE}}]}
        for name, address in targets.items()
    ]
    every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    return {"global": every, "scrape_configs": jobs, "rule_files": [str(folder / "*.yaml")]}


def _quicker(match: re.Match[str]) -> str:
    return f"for: {int(match[1]) * UNITS[match[2]] * 1000 // QUICKER}ms"


async def _ready(session: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                async with session.get(f"{url}/-/ready") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)
