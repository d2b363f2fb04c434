"""`python -m services.testdc.probe`: ends with 0 if the data centre takes connections at TESTDC_LISTEN."""

import os
import socket
import sys

PATIENCE = 3.0
"""Seconds."""


def main() -> None:
    """Exit with 0, or with 1 and a sentence."""
    port = int(os.environ["TESTDC_LISTEN"].rpartition(":")[2])
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except OSError as error:
        sys.exit(f"The data centre takes no connections at port {port}: {error.strerror}.")


if __name__ == "__main__":
    main()
