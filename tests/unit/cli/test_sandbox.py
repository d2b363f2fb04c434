"""The sandbox inside a house's own process refuses in one sentence."""

import socket
from pathlib import Path

import pytest

from services.chassis.errors import SettingsError
from services.cli import plan as plans
from services.cli.actors import address
from services.cli.sandbox import sandbox_telegram


async def test_a_port_that_was_taken_meanwhile_is_named(tmp_path: Path) -> None:
    plan = plans.make({"VALOR_DATA": str(tmp_path)}, processes=False, first=28_200)
    with socket.socket() as other:
        other.bind(address(plan.sandbox.control))
        other.listen()
        with pytest.raises(
            SettingsError, match=f"Cannot listen on .* and {plan.sandbox.control}: one of them is taken"
        ):
            await sandbox_telegram(plan).__aenter__()


async def test_a_folder_that_holds_something_else_is_named(tmp_path: Path) -> None:
    plan = plans.make({"VALOR_DATA": str(tmp_path)}, processes=False, first=28_200)
    (tmp_path / "testdc").write_text("a file")
    with pytest.raises(SettingsError, match=r"VALOR_DATA is wrong: the folder .* cannot be used"):
        await sandbox_telegram(plan).__aenter__()
