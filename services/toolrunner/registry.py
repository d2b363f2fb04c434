"""What a tool is: a typed async function under `@tool`.

The schema of its arguments comes from their types, the description that the model reads from its docstring.
"""

import inspect
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import ErrorDetails

from services.toolrunner.model import Category, ToolFailed

Function = Callable[..., Awaitable[object]]


@dataclass(frozen=True)
class Tool:
    """A tool as it is declared."""

    name: str
    description: str
    right: str
    """What a scope must hold to call it."""
    timeout: float
    """Seconds; then it is cancelled."""
    side_effects: bool
    """Whether it changes anything: such a call is never run twice."""
    arguments: type[BaseModel]
    function: Function

    @property
    def input_schema(self) -> str:
        """JSON schema of the arguments."""
        return json.dumps(self.arguments.model_json_schema())

    async def run(self, arguments: str) -> object:
        """Check the arguments (a JSON object) and run.

        Raises:
            ToolFailed: The arguments are wrong; the message names the first that is.
        """
        try:
            given = self.arguments.model_validate_json(arguments)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            raise ToolFailed(Category.VALIDATION, self._complaint(problem)) from None
        return await self.function(**dict(given))

    def _complaint(self, problem: ErrorDetails) -> str:
        name = ".".join(str(part) for part in problem["loc"])
        known = ", ".join(self.arguments.model_fields) or "none"
        match problem["type"]:
            case "missing":
                return f"The argument {name} is missing."
            case "extra_forbidden":
                return f"{self.name} has no argument {name}; its arguments are: {known}."
            case _ if name:
                return f"The argument {name} is wrong: {problem['msg']}."
            case _:
                return f"The arguments are not a JSON object: {problem['msg']}."


def tool(*, right: str = "tools", timeout: float = 10.0, side_effects: bool = False) -> Callable[[Function], Tool]:
    """Declare the function below as a tool."""

    def declare(function: Function) -> Tool:
        parameters = inspect.signature(function).parameters.values()
        fields: dict[str, Any] = {
            each.name: (each.annotation, ... if each.default is each.empty else each.default) for each in parameters
        }
        name = function.__name__
        arguments = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
        return Tool(name, inspect.cleandoc(function.__doc__ or ""), right, timeout, side_effects, arguments, function)

    return declare


class Catalogue:
    """All tools of this process, by name."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools: dict[str, Tool] = {}
        for each in tools:
            if each.name in self._tools:
                raise ValueError(f"Two tools are named {each.name}.")
            self._tools[each.name] = each

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def get(self, name: str) -> Tool | None:
        """The tool of this name, or None."""
        return self._tools.get(name)
