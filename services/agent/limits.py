"""When a turn is stopped: too many model steps, too many tool calls, the same call over and over."""

import json
from collections import Counter
from collections.abc import Container, Sequence

from services.agent.model import Call, Limits
from services.chassis.errors import WrongState

UNKNOWN_CALLS = 2
"""Calls of tools that do not exist which the model is forgiven."""


class Budget:
    """Counts what a turn does, earlier attempts included."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._calls = self._unknown = 0
        self._equal: Counter[tuple[str, str]] = Counter()

    def admit(self, step: int, calls: Sequence[Call], known: Container[str]) -> None:
        """Let the calls of a model step run.

        Raises:
            WrongState: No further step could use their results (STEP_LIMIT), they are too many (TOOL_LIMIT), or the
                model repeats itself or makes tools up (TOOL_LOOP).
        """
        if step >= self._limits.steps:
            raise WrongState("The turn took as many model steps as it may.", reason="STEP_LIMIT")
        for call in calls:
            self._admit(call, known)

    def _admit(self, call: Call, known: Container[str]) -> None:
        self._calls += 1
        self._unknown += call.name not in known
        self._equal[_key(call)] += 1
        if self._calls > self._limits.tool_calls:
            raise WrongState("The turn called as many tools as it may.", reason="TOOL_LIMIT")
        if self._equal[_key(call)] > self._limits.equal_calls or self._unknown > UNKNOWN_CALLS:
            raise WrongState("The model repeats itself.", reason="TOOL_LOOP")


def _key(call: Call) -> tuple[str, str]:
    parsed = call.parsed()
    return call.name, call.arguments if parsed is None else json.dumps(parsed, sort_keys=True)
