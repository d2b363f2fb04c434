"""The commands."""

import io
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer
import uvloop

from services.chassis.app import innermost
from services.chassis.errors import SettingsError, ValorError
from services.cli import ask, dead
from services.cli import status as statuses

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Valor, an AI teammate that lives in Telegram.",
)

Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 it failed, 2 a setting is missing or wrong, 130 Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a character shows another
    app()


@app.command()
def up(
    *,
    processes: Annotated[bool, typer.Option("--processes", help="One process a service, as in a cluster.")] = False,
    chat: Annotated[bool, typer.Option("--chat", help="Open a chat prompt (sandbox Telegram only).")] = False,
) -> None:
    """Start the whole house. Without TELEGRAM_… settings it brings its own sandbox Telegram."""
    from services.cli.up import up as run_house  # noqa: PLC0415 (the other commands need not wait for all services)

    _do(lambda: run_house(processes=processes, chat=chat))


@app.command()
def chat() -> None:
    """Chat with a house that runs on the sandbox Telegram."""
    _do(ask.chat)


@app.command()
def send(text: Annotated[str, typer.Argument(help="What to say.")]) -> None:
    """Say one thing in the sandbox Telegram and print the answer."""
    _do(lambda: ask.send(text))


@app.command()
def status(*, json: Json = False) -> None:
    """How the house is: health, what waits, what it uses, alerts, where everything listens."""
    _do(lambda: statuses.status(json=json))


@app.command()
def pair(code: Annotated[str, typer.Argument(help="The code that a stranger was given.")]) -> None:
    """Let the stranger with this code talk to Valor."""
    _do(lambda: ask.pair(code))


letters = typer.Typer(no_args_is_help=True, help="Dead letters: what could not be answered, sent, or read.")
app.add_typer(letters, name="dead")

Number = Annotated[str, typer.Argument(help="The letter's number, as `valor dead list` shows it.")]
Numbers = Annotated[list[str], typer.Argument(help="Numbers of letters.")]


@letters.command("list")
def dead_list(*, json: Json = False) -> None:
    """Every dead letter that nobody dealt with, newest first."""
    _do(lambda: dead.show_all(json=json))


@letters.command("show")
def dead_show(letter: Number, *, json: Json = False) -> None:
    """One letter, and what it holds."""
    _do(lambda: dead.show(letter, json=json))


@letters.command("replay")
def dead_replay(numbers: Numbers) -> None:
    """Try again: a question is answered, refused parts are sent, an update is taken in; once, however often asked."""
    _do(lambda: dead.replay(numbers))


@letters.command("drop")
def dead_drop(numbers: Numbers) -> None:
    """End letters for good."""
    _do(lambda: dead.drop(numbers))


def _do(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        uvloop.run(work())
    except* SettingsError as group:
        _fail(group, 2)
    except* ValorError as group:
        _fail(group, 1)
    except* KeyboardInterrupt:
        sys.exit(130)


def _fail(group: BaseException, code: int) -> None:
    sys.stderr.write(f"{innermost(group)}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
