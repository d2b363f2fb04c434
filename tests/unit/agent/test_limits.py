"""When a turn is stopped."""

import pytest

from services.agent.limits import Budget
from services.agent.model import Call, Limits
from services.chassis.errors import WrongState

KNOWN = {"look", "run"}


def call(name: str = "look", arguments: str = "{}") -> Call:
    return Call(0, name, arguments)


def numbered(count: int) -> list[Call]:
    return [call(arguments=f'{{"n": {n}}}') for n in range(count)]


@pytest.mark.parametrize(
    ("limits", "steps", "reason"),
    [
        pytest.param(Limits(3, 9, 3), [numbered(1), numbered(1)], "", id="two steps of three"),
        pytest.param(Limits(3, 9, 3), [numbered(1)] * 3, "STEP_LIMIT", id="nothing can follow the last step"),
        pytest.param(Limits(9, 4, 3), [numbered(2), numbered(2)], "", id="as many calls as allowed"),
        pytest.param(Limits(9, 4, 3), [numbered(2), numbered(3)], "TOOL_LIMIT", id="one call more"),
        pytest.param(Limits(9, 9, 2), [[call()], [call()]], "", id="as many equal calls as allowed"),
        pytest.param(Limits(9, 9, 2), [[call()], [call()], [call()]], "TOOL_LOOP", id="one equal call more"),
        pytest.param(Limits(9, 9, 2), [[call(), call(), call()]], "TOOL_LOOP", id="in one step"),
        pytest.param(
            Limits(9, 9, 1),
            [[call(arguments='{"a":1,"b":2}')], [call(arguments='{ "b": 2, "a": 1 }')]],
            "TOOL_LOOP",
            id="order and spaces do not make calls differ",
        ),
        pytest.param(Limits(9, 9, 1), [[call(), call("run")]], "", id="another tool is another call"),
        pytest.param(Limits(9, 9, 1), [[call(arguments="{"), call(arguments="{{")]], "", id="broken, and different"),
        pytest.param(
            Limits(9, 9, 1), [[call(arguments="["), call(arguments="[")]], "TOOL_LOOP", id="broken, and equal"
        ),
        pytest.param(Limits(9, 9, 3), [[call("a"), call("b")]], "", id="made up twice"),
        pytest.param(Limits(9, 9, 3), [[call("a"), call("b")], [call("c")]], "TOOL_LOOP", id="made up three times"),
    ],
)
def test_limits(limits: Limits, steps: list[list[Call]], reason: str) -> None:
    budget, found = Budget(limits), ""
    for step, calls in enumerate(steps, start=1):
        try:
            budget.admit(step, calls, KNOWN)
        except WrongState as error:
            found = error.reason
            assert step == len(steps)
    assert found == reason
