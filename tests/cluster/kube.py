"""kubectl and helm on the cluster that KUBECONFIG names."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

FORWARDED = re.compile(r"Forwarding from (127\.0\.0\.1:\d+)")


class CommandFailed(Exception):
    """A program ended with an error; the message is what it said."""


@dataclass(frozen=True)
class Kube:
    """One namespace."""

    namespace: str

    async def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl prints. Raises CommandFailed."""
        return await run("kubectl", "--namespace", self.namespace, *arguments, stdin=stdin)

    async def helm(self, *arguments: str) -> str:
        """What helm prints. Raises CommandFailed."""
        return await run("helm", "--namespace", self.namespace, *arguments)

    async def get(self, *arguments: str) -> Any:
        """An object, or a list of them."""
        return json.loads(await self.kubectl("get", *arguments, "--output", "json"))

    async def pods(self, service: str) -> list[str]:
        """The names of the pods of a service that are not on their way out."""
        selector = f"app.kubernetes.io/component={service}"
        found = (await self.get("pods", "--selector", selector))["items"]
        return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]

    async def available(self) -> None:
        """Wait until every deployment is. Raises CommandFailed after 5 minutes."""
        await self.kubectl("wait", "--for=condition=Available", "deployment", "--all", "--timeout=5m")

    async def replicas(self, deployment: str) -> int:
        """How many pods of a deployment are ready."""
        return int((await self.get("deployment", deployment))["status"].get("readyReplicas", 0))

    @asynccontextmanager
    async def forwarded(self, target: str, port: int) -> AsyncIterator[str]:
        """A port of a pod at an address of this machine, until the block ends."""
        arguments = ("--namespace", self.namespace, "port-forward", target, f":{port}")
        process = await asyncio.create_subprocess_exec("kubectl", *arguments, stdout=-1, stderr=-1)
        try:
            assert process.stdout is not None
            match = FORWARDED.search((await process.stdout.readline()).decode())
            if match is None:
                raise CommandFailed(f"{target} cannot be reached at its port {port}")
            yield match[1]
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def run(*command: str, stdin: str = "") -> str:
    """What a program prints. Raises CommandFailed."""
    process = await asyncio.create_subprocess_exec(*command, stdin=-1, stdout=-1, stderr=-1)
    out, err = await process.communicate(stdin.encode())
    if process.returncode:
        raise CommandFailed(f"{' '.join(command[:6])} …: {err.decode().strip()[-2000:]}")
    return out.decode()


async def until(what: str, condition: Callable[[], Awaitable[object]], seconds: float, pause: float = 0.5) -> float:
    """Wait until something holds; how long it took, seconds. Raises TimeoutError, which says what did not come."""
    begin = time.monotonic()
    while not await condition():
        if time.monotonic() > begin + seconds:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        await asyncio.sleep(pause)
    return time.monotonic() - begin
