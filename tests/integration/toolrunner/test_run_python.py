"""Python in the sandbox: what it gives, and that nothing gets out."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from services.chassis.errors import SettingsError
from services.toolrunner.__main__ import serve
from services.toolrunner.adapters import monty
from services.toolrunner.adapters.monty import MontySandbox
from services.toolrunner.model import Ran
from services.toolrunner.settings import Settings
from tests.integration.toolrunner.runner import KEY, Runner, alive
from tests.support.metrics import change
from tests.support.process import TOKEN, running
from tests.support.sandbox import until
from valor.toolrunner.v1 import toolrunner_pb2 as pb


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[Runner]:
    async with running(serve, Settings(data=tmp_path, token=TOKEN, scope_key=KEY, workers=3)) as caller:
        yield Runner(caller)


def _code(code: str) -> str:
    return json.dumps({"code": code})


async def _failure(runner: Runner, code: str) -> str:
    category, message = await runner.error("run_python", _code(code))
    assert category == pb.ERROR_CATEGORY_EXECUTION
    return message


def _escaped() -> bool:
    return Path("escaped").exists()


def _workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.name() == "monty"]


VALUES = {
    "1 + 2": "Value: 3",
    "x = 20\nx * 2.5": "Value: 50.0",
    "'text'": "Value: text",
    "['a', {'b': (1, None)}]": "Value: ['a', {'b': (1, None)}]",
    "print('a')\nprint('b')": "Printed:\na\nb\n",
    "print('a')\n7": "Value: 7\n\nPrinted:\na\n",
    "x = 1": "It ran, printed nothing and has no value.",
    "": "It ran, printed nothing and has no value.",
    "import json, re, math\njson.dumps([math.floor(2.5), re.sub('a', 'b', 'aa')])": 'Value: [2, "bb"]',
    "import time\ntime.sleep(100)\n'waited'": "Value: waited",
    "10 ** 5000": "Value: a number too long to write",
}


async def test_the_value_and_what_was_printed_come_back(runner: Runner) -> None:
    assert {code: await runner.text("run_python", _code(code)) for code in VALUES} == VALUES


MISTAKES = {
    "def f(:": "SyntaxError: Expected a parameter or the end of the parameter list (line 1)",
    "x = 1\n1 / 0": "ZeroDivisionError: division by zero (line 2)",
    "print('before')\nraise ValueError('no')": "ValueError: no (line 2)\n\nPrinted:\nbefore\n",
    "nobody": "NameError: name 'nobody' is not defined (line 1)",
}


async def test_a_mistake_is_told_with_its_line(runner: Runner) -> None:
    assert {code: await _failure(runner, code) for code in MISTAKES} == MISTAKES


ESCAPES = [
    "open('/etc/passwd').read()",
    "open('/proc/self/environ').read()",
    "open('escaped', 'w').write('x')",
    "from pathlib import Path\nPath('/').iterdir()",
    "from pathlib import Path\nPath('/etc/passwd').read_text()",
    "import os\nos.listdir('/')",
    "import os\nos.environ",
    "import os\nos.getenv('HOME')",
    "import os\nos.system('id')",
    "import os\nwhile True: os.fork()",
    "import os\nos.kill(1, 9)",
    "import subprocess",
    "import socket",
    "import urllib.request",
    "import ctypes",
    "import sys\nsys.modules",
    "import importlib",
    "import threading",
    "import multiprocessing",
    "__import__('os').system('id')",
    "eval(\"__import__('os')\")",
    "exec('import socket')",
    "().__class__.__bases__[0].__subclasses__()",
    "(lambda: 0).__globals__",
    "print.__self__",
    "try:\n    1 / 0\nexcept Exception as error:\n    error.__traceback__.tb_frame",
    "globals()",
    "breakpoint()",
    "input()",
]


async def test_nothing_gets_out(runner: Runner) -> None:
    told = {code: await _failure(runner, code) for code in ESCAPES}
    assert [code for code, message in told.items() if "root:" in message] == []
    assert not _escaped()


BOMBS = {
    "x = []\nwhile True: x.append('a' * 10000)": "It needed more than 64 MB and was stopped.",
    "'a' * (60 << 20)": "It needed more than 64 MB and was stopped.",
    "'a' * (10 ** 12)": "It needed more than 64 MB and was stopped.",
    "list(range(10 ** 9))": "It needed more than 64 MB and was stopped.",
    "2 ** (10 ** 9)": "It needed more than 64 MB and was stopped.",
    "def f(n): return f(n + 1)\nf(0)": "RecursionError: maximum recursion depth exceeded (line 1)",
    "(" * 50_000: "SyntaxError: ",
    "for i in range(10 ** 5): print('x' * 100)": "It printed more than 1 MB and was stopped.",
    "f'{1:1000000000}'": "It needed more than 64 MB and was stopped.",
}


async def test_a_bomb_goes_off_inside(runner: Runner) -> None:
    for code, told in BOMBS.items():
        assert (await _failure(runner, code)).startswith(told), code
        assert await runner.text("run_python", _code("'alive'")) == "Value: alive"


async def test_an_endless_loop_is_stopped_and_others_run_beside_it(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monty, "LIMITS", monty.LIMITS | {"max_feed_duration_secs": 0.5})
    endless = asyncio.create_task(runner.error("run_python", _code("while True: pass")))
    assert await runner.text("run_python", _code("1")) == "Value: 1"
    assert await endless == (pb.ERROR_CATEGORY_EXECUTION, "It ran longer than 5 s and was stopped.")


async def test_a_long_result_is_cut(runner: Runner) -> None:
    assert (await runner.text("run_python", _code("'a' * 30000"))).endswith("… cut, 30007 characters in all")


async def test_a_program_may_not_be_endless_either(runner: Runner) -> None:
    category, message = await runner.error("run_python", _code("#" * 100_001))
    assert category == pb.ERROR_CATEGORY_VALIDATION
    assert message.startswith("The argument code is wrong")


async def test_one_run_leaves_nothing_for_the_next(runner: Runner) -> None:
    await runner.text("run_python", _code("secret = 'of chat A'"))
    for _ in range(5):
        _, message = await runner.error("run_python", _code("secret"))
        assert "not defined" in message


async def _busy(sandbox: MontySandbox) -> tuple["asyncio.Task[Ran]", psutil.Process]:
    run = asyncio.create_task(sandbox.run("while True: pass"))
    while True:
        await asyncio.sleep(0)
        for worker in _workers():
            if worker.cpu_times().user > 0.05:
                return run, worker


async def test_cancelling_kills_the_worker_within_a_second() -> None:
    async with MontySandbox.open(1) as sandbox:
        run, worker = await _busy(sandbox)
        started = time.monotonic()
        run.cancel()
        await asyncio.wait([run])
        while alive([worker]):
            await asyncio.sleep(0)
        assert time.monotonic() - started < 1
        assert (await sandbox.run("1")).value == "1"


async def test_no_worker_outlives_the_sandbox() -> None:
    async with MontySandbox.open(2) as sandbox:
        run, _ = await _busy(sandbox)
        await sandbox.run("1")
        assert len(_workers()) == 2
        run.cancel()
        await asyncio.wait([run])
    await until(lambda: not alive(_workers()))  # killed, and gone in a moment


async def test_a_worker_that_dies_is_counted_and_replaced() -> None:
    broken = change("toolrunner_broken_sandboxes_total")
    async with MontySandbox.open(1) as sandbox:
        run, worker = await _busy(sandbox)
        worker.kill()
        assert (await run).error == "It broke the sandbox and was stopped."
        assert broken() == 1
        assert (await sandbox.run("1")).value == "1"


async def test_a_missing_worker_program_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONTY_BIN", "/nowhere/monty")
    with pytest.raises(SettingsError, match="set MONTY_BIN"):
        async with MontySandbox.open(1):
            pass


ORPHANS = """
import asyncio
from services.toolrunner.adapters import monty

monty.LIMITS["max_feed_duration_secs"] = 1.0

async def main():
    async with monty.MontySandbox.open(10) as sandbox:
        await asyncio.gather(*[sandbox.run("while True: pass") for _ in range(10)])

asyncio.run(main())
"""


def test_after_a_kill_busy_workers_end_at_their_time_limit() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHANS]) as process:
        workers = psutil.Process(process.pid).children
        while sum(worker.cpu_times().user > 0 for worker in workers()) < 10:
            os.sched_yield()
        orphans = workers()
        process.kill()
    while alive(orphans):
        os.sched_yield()
