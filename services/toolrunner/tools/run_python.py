"""Python in the sandbox."""

from typing import Annotated

from pydantic import Field

from services.toolrunner.model import Category, Ran, ToolFailed
from services.toolrunner.ports import Sandbox
from services.toolrunner.registry import Tool, tool

Code = Annotated[str, Field(max_length=100_000, description="The program. End it with an expression, or print.")]


def bind(sandbox: Sandbox) -> Tool:
    """The tool on a sandbox."""

    @tool(timeout=15)  # five seconds of computing, and the wait for a worker
    async def run_python(code: Code) -> str:
        """Run Python and get what it printed and the value of its last expression.

        Use it to calculate, to check and to transform text. It is a subset of Python: the modules json, re, math,
        datetime, itertools, collections, csv, hashlib and decimal, but no other ones, no generators, no files and no
        network. It may compute for 5 seconds in 64 MB. Nothing stays from one run to the next.
        """
        return _told(await sandbox.run(code))

    return run_python


def _told(ran: Ran) -> str:
    printed = f"Printed:\n{ran.printed}" if ran.printed else ""
    if ran.error:
        raise ToolFailed(Category.EXECUTION, "\n\n".join(filter(None, [ran.error, printed])))
    value = f"Value: {ran.value}" if ran.value else ""
    return "\n\n".join(filter(None, [value, printed])) or "It ran, printed nothing and has no value."
