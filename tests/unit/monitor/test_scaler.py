"""What a ScaledObject may ask for."""

import pytest

from services.chassis.errors import InvalidArgument
from services.monitor.scaler import Trigger, trigger


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        ({"service": "pipeline"}, Trigger("pipeline", 1, None)),
        ({"service": "agent", "min": "2", "max": "30"}, Trigger("agent", 2, 30)),
        ({"service": "toolrunner", "scalerAddress": "valor-monitor:7000", "max": "4"}, Trigger("toolrunner", 1, 4)),
    ],
)
def test_a_trigger_names_a_service_and_bounds(metadata: dict[str, str], found: Trigger) -> None:
    assert trigger(metadata) == found


@pytest.mark.parametrize(
    ("metadata", "field", "sentence"),
    [
        ({}, "service", "service is '', and has to be one of: pipeline, agent, toolrunner."),
        ({"service": "telegram"}, "service", "service is 'telegram', and has to be one of: "),
        ({"service": "agent", "min": "0"}, "min", "min is '0', and has to be a whole number from 1 to 9999."),
        ({"service": "agent", "min": ""}, "min", "min is '', and has to be a whole number from 1 to 9999."),
        ({"service": "agent", "max": "many"}, "max", "max is 'many', and has to be a whole number from 1 to 9999."),
        ({"service": "agent", "max": "10000"}, "max", "max is '10000', and has to be a whole number from 1 to 9999."),
        ({"service": "agent", "min": "5", "max": "4"}, "min", "min is 5, and max is 4."),
    ],
)
def test_what_is_wrong_is_named(metadata: dict[str, str], field: str, sentence: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        trigger(metadata)
    assert error.value.message.startswith(sentence)
    assert error.value.field == field


@pytest.mark.parametrize(("number", "bound"), [(1, 2), (2, 2), (3, 3), (9, 9), (50, 9)])
def test_bounds_hold(number: int, bound: int) -> None:
    assert Trigger("agent", 2, 9).bound(number) == bound
    assert Trigger("agent", 2, None).bound(50) == 50
