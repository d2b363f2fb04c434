"""What travels with a call."""

import pytest

from services.chassis import context


@pytest.mark.parametrize(
    ("left", "limit", "lowest", "highest"),
    [
        pytest.param(None, 5.0, 5.0, 5.0, id="nobody waits: the own limit"),
        pytest.param(10.0, 5.0, 5.0, 5.0, id="the caller waits longer: the own limit"),
        pytest.param(1.0, 5.0, 0.8, 0.95, id="the caller waits less: what is left, less the way back"),
        pytest.param(0.0, 5.0, 0.001, 0.001, id="too late: as good as nothing, but a legal limit"),
        pytest.param(-3.0, 5.0, 0.001, 0.001, id="long too late"),
    ],
)
def test_an_onward_call_has_no_more_time_than_its_caller(
    left: float | None, limit: float, lowest: float, highest: float
) -> None:
    with context.call(left, {}):
        assert lowest <= context.budget(limit) <= highest


def test_the_time_left_is_never_negative_and_ends_with_the_call() -> None:
    with context.call(-1.0, {}):
        assert context.remaining() == 0.0
    assert context.remaining() is None


def test_ids_go_in_as_headers_and_come_out_as_headers() -> None:
    headers = {"x-valor-turn-id": "7", "x-valor-chat-id": "8", "x-other": "9"}
    with context.call(None, headers):
        assert dict(context.headers()) == {"x-valor-turn-id": "7", "x-valor-chat-id": "8"}
    assert context.headers() == []


def test_work_of_its_own_has_ids_and_no_deadline() -> None:
    with context.call(1.0, {"x-valor-chat-id": "8"}), context.about(turn_id="7"):
        assert context.remaining() is None
        assert dict(context.headers()) == {"x-valor-turn-id": "7", "x-valor-chat-id": "8"}
