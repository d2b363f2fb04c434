"""The memory of this machine."""

import asyncio
from pathlib import Path

import psutil

from services.monitor.model import Memory

CGROUP = Path("/sys/fs/cgroup")


class ThisMachine:
    """The machine of `ports.Machine`."""

    def __init__(self, cgroup: Path = CGROUP) -> None:
        self._cgroup = cgroup

    async def memory(self) -> Memory:
        """The container's memory where it has a limit, else the machine's."""
        return await asyncio.to_thread(self._look)

    def _look(self) -> Memory:
        machine = psutil.virtual_memory()
        try:
            limit = int((self._cgroup / "memory.max").read_text())
            used = int((self._cgroup / "memory.current").read_text())
        except (OSError, ValueError):  # no container, or "max": no limit of its own
            return Memory(machine.available, machine.total)
        return Memory(min(machine.available, limit - used), min(machine.total, limit))
