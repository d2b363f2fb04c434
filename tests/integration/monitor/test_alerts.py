"""Alerts go their own way: to a webhook, a Bot API and an Alertmanager, whatever else of the house is down."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from services.chassis.health import Health
from services.monitor import outbox, rules
from services.monitor.__main__ import serve
from services.monitor.adapters.bot import Bot
from services.monitor.adapters.post import poster
from services.monitor.model import Notice, Severity, Trouble
from services.monitor.settings import Settings
from tests.support.process import TOKEN, free_port, running

BOT_TOKEN = "123456:a-token-that-nobody-may-see"
CHAT = "-1001234567890"
PATHS = {"webhook": "/hook/secret-part", "telegram": f"/bot{BOT_TOKEN}/sendMessage", "alertmanager": "/api/v2/alerts"}

TELEGRAM = {"channel": "telegram"}

AT_ONCE = """
from services.chassis import app
from services.monitor import rules
from services.monitor.__main__ import serve
from services.monitor.settings import Settings
rules.ALERTS = {name: (severity, 0.0) for name, (severity, _) in rules.ALERTS.items()}
app.main("monitor", Settings, serve)
"""
"""A monitor whose alerts need not last."""


@dataclass
class Listener:
    """Everybody who is told, on one port; each may be made to refuse."""

    url: str = ""
    heard: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in PATHS})
    refuses: dict[str, web.Response] = field(default_factory=dict)
    refused: int = 0
    shown: dict[str, str] = field(default_factory=dict)
    """The proof that each was shown last."""

    async def take(self, request: web.Request) -> web.Response:
        name = next(name for name, path in PATHS.items() if path == request.path)
        if name in self.refuses:
            self.refused += 1
            refusal = self.refuses[name]
            return web.Response(status=refusal.status, text=refusal.text, headers=refusal.headers)
        self.heard[name].append(await request.json())
        self.shown[name] = request.headers.get("Authorization", "")
        return web.json_response({"ok": True})

    def texts(self) -> list[str]:
        """What stands in the Telegram chat."""
        return [line for message in self.heard["telegram"] for line in message["text"].splitlines()]

    async def hears(self, name: str, count: int) -> list[Any]:
        async with asyncio.timeout(60):
            while len(self.heard[name]) < count:
                await asyncio.sleep(0.01)
        return self.heard[name]


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    listener, app = Listener(), web.Application()
    app.router.add_post("/{path:.*}", listener.take)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port := free_port())
    await site.start()
    listener.url = f"http://127.0.0.1:{port}"
    try:
        yield listener
    finally:
        await runner.cleanup()


def _environment(listener: Listener, targets: str) -> dict[str, str]:
    return {
        "VALOR_TOKEN": TOKEN,
        "MONITOR_TARGETS": targets,
        "MONITOR_INTERVAL": "0.05",
        "MONITOR_ALERT_WEBHOOK": listener.url + PATHS["webhook"],
        "MONITOR_ALERT_TELEGRAM_CHAT": CHAT,
        "MONITOR_ALERT_TELEGRAM_URL": listener.url,
        "MONITOR_ALERT_ALERTMANAGER": listener.url.replace("://", "://me:a-password@"),
        "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
    }


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to last, and nobody pauses for long."""
    monkeypatch.setattr(rules, "ALERTS", dict.fromkeys(rules.ALERTS, (Severity.CRITICAL, 0.0)))
    monkeypatch.setattr("services.monitor.episodes.CLEAR", 0.2)
    monkeypatch.setattr(outbox, "PAUSES", (0.02,))


@asynccontextmanager
async def a_house(listener: Listener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Health]:
    """A monitor, and the health of the one pipeline that it watches."""
    health = Health()
    async with health.serve("127.0.0.1:0") as probed:
        await health.set("valor.pipeline.v1.PipelineService", serving=True)
        for name, value in _environment(listener, f"pipeline={probed}").items():
            monkeypatch.setenv(name, value)
        async with running(serve, Settings(data=tmp_path)):
            yield health


async def test_a_pipeline_that_is_down_is_told_of_everywhere_and_its_return_too(
    at_once: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """F66. No message of it passes through the house."""
    async with listening() as listener, a_house(listener, monkeypatch, tmp_path) as health:
        await health.set("valor.pipeline.v1.PipelineService", serving=False)
        (hook, *_) = await listener.hears("webhook", 1)
        assert hook["text"].splitlines()[-1] == "🔴 pipeline is down. pipeline says that it takes no calls."
        fired = {alert["alert"]: alert for alert in hook["alerts"]}["part_down"]
        assert (fired["subject"], fired["status"], fired["severity"]) == ("pipeline", "firing", "critical")
        assert fired["end_time"] is None
        (message, *_) = await listener.hears("telegram", 1)
        assert message["chat_id"] == CHAT
        (posted, *_) = await listener.hears("alertmanager", 1)
        assert listener.shown["alertmanager"] == "Basic bWU6YS1wYXNzd29yZA=="  # me:a-password
        labels = {"alertname": "part_down", "severity": "critical", "subject": "pipeline", "source": "valor"}
        assert labels in [alert["labels"] for alert in posted]
        assert all(alert["endsAt"] > alert["startsAt"] for alert in posted)
        await health.set("valor.pipeline.v1.PipelineService", serving=True)
        while not any(line.startswith("✅ Over after 1 min: pipeline is down.") for line in listener.texts()):
            await asyncio.sleep(0.01)
        ended = await listener.hears("webhook", 2)
        assert {alert["status"] for alert in ended[-1]["alerts"]} == {"resolved"}
        assert sum("🔴 pipeline is down." in line for line in listener.texts()) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        web.Response(status=500, text="no"),
        web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
        web.Response(status=429, text=json.dumps({"ok": False, "parameters": {"retry_after": 0.1}})),
        web.Response(status=429, text="[]", headers={"Retry-After": "0.1"}),
        web.Response(status=503, text="[]", headers={"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}),
    ],
    ids=["broken", "elsewhere", "flood", "too many", "a date"],
)
async def test_a_channel_that_refuses_is_tried_again_and_seen_and_the_others_are_told_meanwhile(
    refusal: web.Response, at_once: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with listening() as listener, a_house(listener, monkeypatch, tmp_path) as health:
        listener.refuses["telegram"] = refusal
        await health.set("valor.pipeline.v1.PipelineService", serving=False)
        await listener.hears("webhook", 1)
        while listener.refused < 2 or REGISTRY.get_sample_value("monitor_pending_alert_messages", TELEGRAM) == 0:
            await asyncio.sleep(0.01)
        assert REGISTRY.get_sample_value("monitor_alert_channel_up", TELEGRAM) == 0
        assert REGISTRY.get_sample_value("monitor_alert_channel_up", {"channel": "webhook"}) == 1
        del listener.refuses["telegram"]
        assert (
            "🔴 pipeline is down. pipeline says that it takes no calls."
            in ((await listener.hears("telegram", 1))[0]["text"])
        )
        while REGISTRY.get_sample_value("monitor_alert_channel_up", TELEGRAM) != 1:
            await asyncio.sleep(0.01)


async def test_a_message_is_as_long_as_telegram_takes() -> None:
    notices = [
        Notice(Trouble("part_down", "It is down. " * 20, Severity.CRITICAL, str(n), 0.0), 0.0) for n in range(99)
    ]
    async with listening() as listener, poster() as session:
        await Bot(session, listener.url, BOT_TOKEN, CHAT).send(notices)
        (message,) = listener.heard["telegram"]
    assert len(message["text"]) == 4096
    assert message["text"].endswith("…")


async def test_no_secret_is_logged_while_every_channel_fails(tmp_path: Path) -> None:
    listener = Listener(url=f"http://127.0.0.1:{free_port()}")  # nobody is there
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", AT_ONCE),
        env={**os.environ, **_environment(listener, "agent=127.0.0.1:1"), "VALOR_DATA": str(tmp_path)},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    log = b""
    async with asyncio.timeout(90):
        while log.count(b"alert_not_sent") < 2:
            log += await process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    log += await process.stderr.read()
    assert await process.wait() == 0
    assert BOT_TOKEN.encode() not in log
    assert b"secret-part" not in log
    assert b"it cannot be reached" in log
