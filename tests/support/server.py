"""Runs a command beside a PostgreSQL in a container: `python -m tests.support.server COMMAND …`.

The command finds the server in VALOR_TEST_POSTGRES, and in VALOR_TEST_POSTGRES_RESTART a command that kills it and
starts it again. VALOR_TEST_POSTGRES_FSYNC=off: commits need not outlive the machine, which makes tests quicker.
"""

import os
import socket
import subprocess
import sys
from contextlib import suppress

from testcontainers.community.postgres import PostgresContainer

PASSWORD = "of-a-test"


def main(command: list[str]) -> int:
    """Exit code of the command."""
    os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"  # its image is one more that would have to be reached
    port = _free_port()
    image = os.environ["VALOR_TEST_POSTGRES_IMAGE"]
    container = PostgresContainer(image, username="postgres", password=PASSWORD, dbname="postgres")
    fsync = os.environ.get("VALOR_TEST_POSTGRES_FSYNC", "on")
    # On the machine's own network, without a proxy in between, and found at the same port after every restart.
    container.ports.clear()
    container.with_kwargs(network_mode="host").with_env("PGPORT", str(port))
    container.with_command(f"-c fsync={fsync} -c max_connections=300 -c listen_addresses=127.0.0.1")
    with container:
        environment = {
            "VALOR_TEST_POSTGRES": f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/postgres",
            "VALOR_TEST_POSTGRES_RESTART": f"docker restart -t 0 {container.get_wrapped_container().id}",
        }
        return subprocess.run(command, check=False, env=os.environ | environment).returncode


def _free_port() -> int:
    """A port that no program is given for its own calls: it has to be free again whenever the server comes back."""
    for port in range(5433, 5500):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise LookupError("no port is free")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
