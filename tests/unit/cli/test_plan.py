"""Where a house goes: ports, the sandbox's bot, the owner."""

import socket
from pathlib import Path

import pytest

from services.cli import plan as plans
from services.cli.plan import FIRST_PORTS, HOST, Plan
from services.cli.run import Run

FIRST = 27_200


def plan(data: Path, *, processes: bool = False) -> Plan:
    return plans.make({"VALOR_DATA": str(data)}, processes=processes, first=FIRST)


def test_no_port_is_given_twice(tmp_path: Path) -> None:
    run = plan(tmp_path, processes=True).run
    assert run.sandbox is not None
    given = [
        *run.addresses.values(),
        *run.health.values(),
        *run.metrics.values(),
        run.page,
        run.sandbox.listen,
        run.sandbox.control,
    ]
    assert len(set(given)) == len(given) == 5 + 6 + 6 + 1 + 2


@pytest.mark.parametrize("processes", [False, True])
def test_the_monitor_is_told_where_every_service_is(tmp_path: Path, *, processes: bool) -> None:
    house = plan(tmp_path, processes=processes)
    for target in house.environment["MONITOR_TARGETS"].split(","):
        name, _, where = target.partition("=")
        process = name if processes else "valor"
        health, _, metrics = where.partition("/")
        assert (health, f"{HOST}:{metrics}") == (house.run.health[process], house.run.metrics[process])
    assert house.environment["MONITOR_HTTP"] == house.run.page
    chosen = plans.make({"VALOR_DATA": str(tmp_path), "MONITOR_HTTP": "0.0.0.0:80"}, processes=processes, first=FIRST)
    assert chosen.run.page == "0.0.0.0:80"


def test_a_taken_port_is_replaced(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((HOST, FIRST))
        other.listen()
        assert plan(tmp_path).run.addresses["people"] != f"{HOST}:{FIRST}"
    assert plan(tmp_path).run.addresses["people"] == f"{HOST}:{FIRST}"


def test_two_houses_have_different_ports_and_an_ended_one_gives_them_back() -> None:
    with plans.first_port() as first:
        with plans.first_port() as second:
            assert first in FIRST_PORTS
            assert second > first
        with plans.first_port() as again:
            assert again == second


def test_a_folder_keeps_its_bot(tmp_path: Path) -> None:
    first, again = plan(tmp_path).sandbox, plan(tmp_path).sandbox
    assert (first.bot_token, first.bot_id) == (again.bot_token, again.bot_id)
    assert first.token != again.token


def test_a_house_on_the_real_telegram_has_no_sandbox(tmp_path: Path) -> None:
    real = plans.make({"VALOR_DATA": str(tmp_path), "TELEGRAM_BOT_TOKEN": "1:x"}, processes=False, first=FIRST)
    assert real.run.sandbox is None
    assert "TELEGRAM_BOT_TOKEN" not in real.environment
    with pytest.raises(LookupError):
        _ = real.sandbox


@pytest.mark.parametrize(("named", "owner"), [(None, "17"), ("", "17"), ("@ann", "@ann")])
def test_the_person_at_the_terminal_owns_the_house_unless_somebody_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str | None, owner: str
) -> None:
    if named is not None:
        monkeypatch.setenv("VALOR_OWNER", named)
    house = plan(tmp_path)
    house.settle_owner(17)
    assert house.process_environment("valor")["VALOR_OWNER"] == owner


def test_a_run_is_found_while_its_process_lives(tmp_path: Path) -> None:
    run = plan(tmp_path).run
    run.save(tmp_path)
    assert Run.load(tmp_path) == run
    assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o600
