"""The images, each in a container that may do as little as a pod may under the restricted Pod Security standard."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

TAG, BASE = os.environ["TAG"], os.environ["BASE"]

SERVICES = ("telegram", "pipeline", "agent", "toolrunner", "people", "monitor")
TABLES = ("telegram", "pipeline", "toolrunner", "people")
IMAGES = (*SERVICES, "testdc", "cli")
LARGEST = {"agent": 300}
"""Megabytes that an image may add to its base; 150 where it is not said."""

LOCKED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none", "--tmpfs=/tmp")
DATA = "--tmpfs=/data:uid=10001,gid=10001,mode=700"
"""What a pod mounts there is empty, and the service's own."""

SETTINGS = {
    "VALOR_TOKEN": "token-of-this-test-run",
    "VALOR_SCOPE_KEY": "key-of-this-test-run-and-of-no-other",
    "TOOLRUNNER_ADDRESS": "127.0.0.1:7000",
    "MONITOR_TARGETS": "people=127.0.0.1:7001",
    "TELEGRAM_API_ID": "1",
    "TELEGRAM_API_HASH": "0" * 32,
    "TELEGRAM_BOT_TOKEN": "42:token-of-a-bot-that-does-not-exist",
    "TESTDC_FOLDER": "/data",
    "TESTDC_TOKEN": "token-of-the-control-port",
    "TESTDC_LISTEN": "0.0.0.0:7000",
    "TESTDC_CONTROL": "127.0.0.1:7004",
}
FIRST = {"testdc": "testdc: TESTDC_FOLDER is not set"} | dict.fromkeys(SERVICES, "is not set.")
"""What an image says that is run without any setting."""

PATIENCE = 120.0
"""Seconds."""


def docker(*arguments: str, code: int = 0) -> str:
    """What Docker prints; it has to end with this code."""
    command = ["docker", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stderr + done.stdout
    return (done.stdout if code == 0 else done.stderr).strip()


def inspect(name: str) -> Any:
    return json.loads(docker("inspect", name))[0]


def image(service: str) -> str:
    return f"valor-{service}:{TAG}"


@contextmanager
def running(service: str) -> Iterator[str]:
    """A container with all settings that there are."""
    settings = [f"--env={name}={value}" for name, value in SETTINGS.items()]
    name = docker("run", "--detach", *LOCKED, DATA, *settings, "--health-interval=1s", image(service))
    try:
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)


def wait_until_healthy(name: str) -> None:
    end = time.monotonic() + PATIENCE
    while (health := inspect(name)["State"]["Health"])["Status"] != "healthy":
        assert time.monotonic() < end, f"{health} {docker('logs', name)}"
        assert inspect(name)["State"]["Running"], docker("logs", name)
        time.sleep(0.1)


def stop(name: str) -> int:
    """The exit code of a container that is told to stop, and is killed where it does not within ten seconds."""
    docker("stop", "--time", "10", name)
    return int(inspect(name)["State"]["ExitCode"])


@pytest.mark.parametrize("service", [*SERVICES, "testdc"])
def test_without_settings_it_says_in_one_sentence_what_is_missing(service: str) -> None:
    words = docker("run", "--rm", *LOCKED, image(service), code=2)
    assert words.endswith(FIRST[service])
    assert "\n" not in words


@pytest.mark.timeout(PATIENCE * 2)
@pytest.mark.parametrize("service", [*SERVICES, "testdc"])
def test_with_settings_it_becomes_healthy_and_stops_when_told(service: str) -> None:
    with running(service) as name:
        wait_until_healthy(name)
        assert stop(name) == 0


def test_a_toolbox_has_the_commands_and_stops_when_told() -> None:
    with running("cli") as name:
        assert "status" in docker("exec", name, "valor", "--help")
        for command in (["status"], ["send", "hello"], ["chat"], ["pair", "1"], ["dead", "list"]):
            assert "Nothing runs on /data" in docker("exec", name, "valor", *command, code=2)
        assert stop(name) == 0


@pytest.mark.parametrize("service", TABLES)
def test_what_keeps_tables_makes_them_and_can_speak_to_postgresql(service: str) -> None:
    settings = [f"--env={name}={value}" for name, value in SETTINGS.items()]
    docker("run", "--rm", *LOCKED, DATA, *settings, image(service), f"services.{service}", "migrate")
    docker("run", "--rm", *LOCKED, "--entrypoint=python", image(service), "-c", "import services.chassis.postgres")


@pytest.mark.parametrize("service", IMAGES)
def test_it_is_nobody_who_could_change_its_code(service: str) -> None:
    look = "id -u; id -g; find /venv -writable ! -type l"
    assert docker("run", "--rm", "--entrypoint=sh", image(service), "-c", look).split() == ["10001", "10001"]


@pytest.mark.parametrize("service", IMAGES)
def test_what_built_it_stayed_behind(service: str) -> None:
    left = docker("run", "--rm", "--entrypoint=sh", image(service), "-c", "command -v gcc; ls /build /venv/bin; true")
    assert not {"gcc", "uv", "pip", "hatchling"} & {Path(word).name for word in left.split()}
    compiled = "import services.chassis.app as app; print(app.__cached__)"
    cache = docker("run", "--rm", "--entrypoint=python", image(service), "-c", compiled)
    docker("run", "--rm", "--entrypoint=test", image(service), "-f", cache)


@pytest.mark.parametrize("service", IMAGES)
def test_it_says_what_it_is(service: str) -> None:
    labels = inspect(image(service))["Config"]["Labels"]
    said = {name.removeprefix("org.opencontainers.image."): value for name, value in labels.items()}
    command = ["git", "rev-parse", "HEAD"]
    head = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert (said["title"], said["version"], said["revision"]) == (f"valor-{service}", TAG, head)
    assert said["licenses"] == "MIT"
    assert not [value for value in said.values() if "://" in value]


@pytest.mark.parametrize("service", IMAGES)
def test_it_is_small(service: str) -> None:
    added = (inspect(image(service))["Size"] - inspect(BASE)["Size"]) / 1e6
    assert added <= LARGEST.get(service, 150), f"valor-{service} adds {added:.0f} MB"
