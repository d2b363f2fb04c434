"""One scene a test; whatever a task of ours dies of is a failure of the test."""

import gc
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.testdc.model import Account
from services.testdc.server import TestDC
from tests.integration.telegram.scene import Scene
from tests.support.loops import died_unseen
from tests.support.sandbox import dc, server_key

__all__ = ["dc", "server_key"]


@pytest.fixture
async def scene(dc: TestDC, tmp_path: Path, _no_task_dies_unseen: None) -> AsyncIterator[Scene]:
    scene = Scene(dc, tmp_path)
    await scene.log_in()
    await scene.place.up()
    yield scene
    await scene.place.down()


@pytest.fixture
def anna(scene: Scene) -> Account:
    return scene.dc.world.add_user("Anna")


@pytest.fixture
def bob(scene: Scene) -> Account:
    return scene.dc.world.add_user("Bob")


@pytest.fixture(autouse=True)
def _no_task_dies_unseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    gc.collect()
    assert died_unseen(caplog.get_records("call")) == []


logging.getLogger("asyncio").setLevel(logging.WARNING)
