"""What a turn needs from the outside: a model to talk with, tools, and the host that ordered the turn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.agent.model import About, Answer, Call, Result, Scope, Steer, Step, Tool, Turn


class Talk(Protocol):
    """One turn's conversation with the model."""

    @property
    def answers(self) -> Sequence[Answer]:
        """Every response of the turn so far, those of earlier attempts included."""

    async def ask(self, tools: Sequence[Tool], say: Callable[[str], None]) -> Answer:
        """The model's next response; `say` gets its text as it comes. An empty one leaves no trace in the talk.

        Raises:
            ValorError: The model failed; reasons begin with MODEL_.
        """

    def tell(self, results: Sequence[Result]) -> None:
        """The results of the last response's calls, in their order."""

    def hear(self, steer: Steer) -> None:
        """Something was said meanwhile; the next response knows of it."""

    def checkpoint(self) -> bytes:
        """What was added since the last checkpoint, or since the question."""


class Model(Protocol):
    """Who answers."""

    @property
    def about(self) -> About:
        """What is known of it."""

    def talk(self, turn: Turn) -> Talk:
        """Begin, or go on where the turn's checkpoints end.

        Raises:
            InvalidArgument: The checkpoints cannot be read.
        """


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What tools there are for a turn."""

    tools: tuple[Tool, ...]
    complete: bool = True
    """False: toolrunner is away, there may be more."""


class Tools(Protocol):
    """Tools that toolrunner runs."""

    async def open(self, scope: Scope) -> Toolbox:
        """The tools that a scope may call.

        Raises:
            InvalidArgument: The scope cannot be read.
        """

    async def call(self, step: int, call: Call, scope: Scope) -> Result:
        """Run a tool once under (turn, step, index). Whatever fails is a result that says so."""


class Host(Protocol):
    """Who ordered the turn and hears of it."""

    def say(self, text: str) -> None:
        """More text of the answer."""

    def restart(self) -> None:
        """What was said so far is not the answer."""

    def steers(self) -> Sequence[Steer]:
        """What was said meanwhile, and was not taken before."""

    async def store(self, step: Step) -> None:
        """Have a step stored; returns when it is."""

    async def ask(self, step: int, call: Call) -> str:
        """Have the conversation do something; its answer, JSON."""

    def started(self, step: int, call: Call) -> None:
        """A tool call begins."""

    def finished(self, step: int, call: Call, result: Result) -> None:
        """A tool call is over."""
