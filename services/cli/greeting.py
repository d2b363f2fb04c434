"""What `valor up` says once everything serves."""

from pathlib import Path

from services.cli.run import Run

SANDBOX = "No TELEGRAM_… settings: this is a Telegram of your own on this machine."
PROMPT = "Try: what is 17 * 23? Ctrl-D ends it."
COMMAND = "Talk to it with `valor chat`."
REAL = "Write to your bot in Telegram. A stranger's first message is answered with a pairing code."

OPENS = "the password is the token in run.json"


def greeting(run: Run, folder: Path, logs: str, *, chat: bool) -> str:
    """Where everything is, and what to do next: at the prompt of a `chat`, or elsewhere."""
    rows = [("data", str(folder)), ("logs", logs), ("status page", f"http://{run.page}/  ({OPENS})")]
    rows += run.addresses.items()
    if run.sandbox is not None:
        rows.append(("sandbox", f"{run.sandbox.listen}, control port {run.sandbox.control}"))
    for name, health in run.health.items():
        process = "" if name == "valor" else f"  ({name})"
        rows += [("health", health + process), ("metrics", f"http://{run.metrics[name]}/metrics{process}")]
    table = [f"  {name:<11} {value}" for name, value in rows]
    hints = [REAL] if run.sandbox is None else [SANDBOX, PROMPT if chat else COMMAND]
    return "\n".join(["Valor is up.", *table, *hints, ""])
