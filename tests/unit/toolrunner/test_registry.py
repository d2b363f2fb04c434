"""How a tool is declared, and what its arguments may be."""

import json
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

import services.toolrunner.tools
from services.toolrunner.model import Category, Passage, Ran, ToolFailed
from services.toolrunner.registry import Catalogue, Tool, tool
from services.toolrunner.tools import catalogue


@tool()
async def greet(name: Annotated[str, Field(max_length=5, description="Whom.")], times: int = 1) -> str:
    """Greet somebody.

    More than once if you like.
    """
    return f"Hello {name}! " * times


@tool()
async def plain() -> str:
    """Do it."""
    return ""


def test_a_declaration_has_name_description_and_schema() -> None:
    assert (greet.name, greet.description) == ("greet", "Greet somebody.\n\nMore than once if you like.")
    schema = json.loads(greet.input_schema)
    assert schema["required"] == ["name"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["name"]["description"] == "Whom."
    assert schema["properties"]["times"]["default"] == 1


@pytest.mark.parametrize(
    ("declared", "setting", "default", "given"),
    [
        (tool(right="admin")(greet.function), "right", "tools", "admin"),
        (tool(timeout=0.5)(greet.function), "timeout", 10.0, 0.5),
        (tool(side_effects=True)(greet.function), "side_effects", False, True),
    ],
)
def test_every_setting_of_a_tool_has_a_default_and_can_be_set(
    declared: Tool, setting: str, default: object, given: object
) -> None:
    assert getattr(greet, setting) == default
    assert getattr(declared, setting) == given


async def test_arguments_reach_the_function_with_their_defaults() -> None:
    assert await greet.run('{"name": "Ada"}') == "Hello Ada! "
    assert await greet.run('{"times": 2, "name": "Ada"}') == "Hello Ada! Hello Ada! "
    assert await plain.run("{}") == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("{}", "The argument name is missing."),
        ('{"name": "Ada", "person_id": "7"}', "greet has no argument person_id; its arguments are: name, times."),
        ('{"name": "Ada", "times": "often"}', "The argument times is wrong: Input should be a valid integer"),
        ('{"name": "Adalbert"}', "The argument name is wrong: String should have at most 5 characters."),
        ('["Ada"]', "The arguments are not a JSON object"),
        ("", "The arguments are not a JSON object"),
        ("[" * 100_000, "The arguments are not a JSON object"),
        ('{"name": ', "The arguments are not a JSON object"),
    ],
)
async def test_wrong_arguments_are_named(arguments: str, sentence: str) -> None:
    with pytest.raises(ToolFailed) as failure:
        await greet.run(arguments)
    assert failure.value.category is Category.VALIDATION
    assert failure.value.message.startswith(sentence)


async def test_a_tool_without_arguments_says_that_it_has_none() -> None:
    with pytest.raises(ToolFailed, match="its arguments are: none"):
        await plain.run('{"x": 1}')


def test_two_tools_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="named greet"):
        Catalogue([greet, greet])


class Nothing:
    """A sandbox that does nothing, and a library without books."""

    async def run(self, code: str) -> Ran:  # noqa: ARG002 (the port's)
        return Ran()

    async def search(self, query: str, limit: int) -> list[Passage]:  # noqa: ARG002 (the port's)
        return []

    async def count(self) -> int:
        return 0


def test_every_tool_has_one_file_of_its_name_and_a_description() -> None:
    tools = list(catalogue(Nothing(), Nothing()))
    files = Path(services.toolrunner.tools.__file__).parent.glob("[a-z]*.py")
    assert sorted(each.name for each in tools) == sorted(file.stem for file in files)
    for each in tools:
        assert each.description
        assert all("description" in field for field in json.loads(each.input_schema)["properties"].values())


async def test_tools_with_nothing_to_say_say_so() -> None:
    empty = catalogue(Nothing(), Nothing())
    told = {each.name: await each.run(ARGUMENTS[each.name]) for each in empty}
    assert told["run_python"] == "It ran, printed nothing and has no value."
    assert told["search_knowledge"] == "There are no documents to search."


ARGUMENTS = {"run_python": '{"code": ""}', "search_knowledge": '{"query": "x"}', "current_time": "{}"}
