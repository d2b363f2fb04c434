"""What a running turn is told."""

from dataclasses import replace

import pytest

from services.pipeline.model import Entity, Role, Steer, Turn
from services.pipeline.steer import steers
from tests.unit.pipeline.messages import turn

RUNNING = replace(turn(), turn_id=1, person_id="ada", role=Role.MEMBER)


def behind(number: int, text: str = "more", **fields: object) -> Turn:
    command = (Entity("bot_command", 0, len(text)),) if text.startswith("/") else ()
    message = replace(RUNNING.message, message_id=number, text=text, version=5, entities=command)
    return replace(RUNNING, turn_id=number, message=message, **fields)  # type: ignore[arg-type]


def due(number: int) -> Turn:
    """A promise that is due, whose person is known: it ran, and waits again since its runner was killed."""
    message = replace(RUNNING.message, message_id=0, promise_id=9, text="")
    return replace(RUNNING, turn_id=number, message=message)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], []),
        ([behind(2), behind(3)], ["2:5", "3:5"]),
        ([behind(1), behind(2)], ["1:5", "2:5"]),
        ([behind(2), behind(3, "/status"), behind(4)], ["2:5"]),
        ([behind(2, person_id="bob"), behind(3)], []),
        ([behind(2, role=Role.UNKNOWN)], []),
        ([due(2), behind(3)], []),
        ([behind(2, "x" * 40_000)], []),  # it is told that this is too long, by a turn of its own
    ],
)
def test_what_joins(found: list[Turn], expected: list[str]) -> None:
    told = list(steers(RUNNING, found))
    assert [steer.steer_id for steer in told] == expected
    assert [steer.rewords for steer in told] == [steer.turn_id == 1 for steer in told]
    assert [Steer.parse(steer.steer_id) for steer in told] == [(steer.turn_id, 5) for steer in told]


def test_where_nothing_joins_any_more_a_new_wording_is_still_told() -> None:
    assert [steer.steer_id for steer in steers(RUNNING, [behind(1), behind(2)], more=False)] == ["1:5"]
