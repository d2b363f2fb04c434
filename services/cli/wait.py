"""`python -m services.cli.wait`: does nothing until told to stop, so that somebody can run commands beside it.

As the first process of a container, which hears no signal that it does not handle.
"""

import signal
import sys


def main() -> None:
    """Wait for SIGTERM or Ctrl-C; never returns."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    print("Waiting to be used: run `valor` in here.", flush=True)  # noqa: T201 (what the container's log shows)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
