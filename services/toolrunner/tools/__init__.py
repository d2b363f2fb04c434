"""The tools, one file each. A new tool is a new file and a line here."""

import time
from collections.abc import Callable

from services.toolrunner.ports import Knowledge, Sandbox
from services.toolrunner.registry import Catalogue
from services.toolrunner.tools import current_time, run_python, search_knowledge


def catalogue(sandbox: Sandbox, knowledge: Knowledge, clock: Callable[[], float] = time.time) -> Catalogue:
    """Every tool that Valor has."""
    return Catalogue([run_python.bind(sandbox), search_knowledge.bind(knowledge), current_time.bind(clock)])
