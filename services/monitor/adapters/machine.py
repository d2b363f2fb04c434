"""The memory of this machine and of the processes on it."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import psutil

from services.monitor.model import Memory, Target

LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
CGROUP = Path("/sys/fs/cgroup")


class ThisMachine:
    """The machine of `ports.Machine`."""

    def __init__(self, cgroup: Path = CGROUP) -> None:
        self._cgroup = cgroup

    async def memory(self, targets: Sequence[Target]) -> Memory:
        """The container's memory where it has a limit, else the machine's; processes that listen on this machine."""
        return await asyncio.to_thread(self._look, targets)

    def _look(self, targets: Sequence[Target]) -> Memory:
        available, total = _left(self._cgroup)
        sizes = {", ".join(names): resident(process) for process, names in _processes(targets).items()}
        return Memory(available, total, {names: size for names, size in sizes.items() if size is not None})


def _left(cgroup: Path) -> tuple[int, int]:
    machine = psutil.virtual_memory()
    try:
        limit = int((cgroup / "memory.max").read_text())
        used = int((cgroup / "memory.current").read_text())
    except (OSError, ValueError):  # no container, or "max": no limit of its own
        return machine.available, machine.total
    return min(machine.available, limit - used), min(machine.total, limit)


def _processes(targets: Sequence[Target]) -> dict[int, list[str]]:
    """The processes on this machine, with the targets that each one runs; targets elsewhere are left out."""
    listening = {
        connection.laddr.port: connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.pid
    }
    processes = defaultdict(list, {os.getpid(): ["monitor"]})
    for target in targets:
        host, _, port = target.address.rpartition(":")
        process = listening.get(int(port)) if host in LOOPBACK else None
        if process and target.name not in processes[process]:
            processes[process].append(target.name)
    return processes


def resident(process: int) -> int | None:
    """The memory of a process; None where it ended or is not ours to look at."""
    try:
        return int(psutil.Process(process).memory_info().rss)
    except psutil.Error:
        return None
