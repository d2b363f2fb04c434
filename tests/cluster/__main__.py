"""`python -m tests.cluster --old TAG --new TAG`: the chart on a real cluster, from nothing to nothing.

KUBECONFIG names the cluster; it has images of both tags. Exit code 0 only when every step went as it should and the
judge found nothing lost, doubled or out of order.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.testdc.remote import Sandbox
from tests.cluster.burst import burst, scale_in
from tests.cluster.kube import Kube, run
from tests.cluster.load import Load, writing
from tests.cluster.policies import check_policies
from tests.cluster.release import NAME, Release, run_model

VICTIMS = ("people", "toolrunner", "agent", "pipeline", "telegram", "monitor")
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


def main() -> None:
    """Run all steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", required=True, help="the tag of the images that are installed first")
    parser.add_argument("--new", required=True, help="the tag that is upgraded to")
    parser.add_argument("--namespace", default="valor-test")
    parser.add_argument("--registry", default="", help="what stands before the names of the images")
    parser.add_argument("--rate", type=float, default=1.0, help="messages a second; a burst is ten times that")
    parser.add_argument("--kills", type=int, default=10, help="pods that are killed under load")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    sys.exit(0 if asyncio.run(test(options)) else 1)


@dataclass
class Times:
    """How long what operators wait for took, seconds."""

    install: float = 0.0
    """Until the first answer."""
    upgrade: float = 0.0
    rollback: float = 0.0
    scale_out: float = 0.0

    def __str__(self) -> str:
        """The end of the last line."""
        return " ".join(f"{name}_s={seconds:.0f}" for name, seconds in vars(self).items())


async def test(options: argparse.Namespace) -> bool:
    """All steps, and the verdict."""
    kube, times = Kube(options.namespace), Times()
    release = Release(kube, options.old)
    async with namespace(kube):
        await run_model(kube, f"{options.registry}valor-agent:{options.old}")
        await begin(release, times)
        async with sandbox(release) as telegram:
            async with writing(telegram, options.rate, options.seed) as load:
                await change(release, load, options, times)
            verdict = await load.settle()
        await kube.helm("uninstall", NAME, "--wait", "--timeout", "3m")
        say("uninstalled")
    for name in ("lost", "doubled", "out_of_order"):
        if tokens := getattr(verdict, name):
            say(f"{name}: {', '.join(tokens)}")
    print(f"{verdict} {times}")  # noqa: T201
    return verdict.clean


async def begin(release: Release, times: Times) -> None:
    """Install, and look at what is there."""
    times.install = await release.install()
    say(f"installed, first answer after {times.install:.0f} s")
    await release.kube.helm("test", NAME)
    say("helm test passed")
    say(await check_policies(release.kube))


async def change(release: Release, load: Load, options: argparse.Namespace, times: Times) -> None:
    """All that happens while people write."""
    times.scale_out = await burst(release, load, say)
    await kill_pods(release.kube, options.kills, random.Random(options.seed))
    await scale_in(release)
    say("few replicas again")
    times.upgrade = await release.upgrade(options.new)
    say(f"upgraded under load in {times.upgrade:.0f} s")
    times.rollback = await release.roll_back(1)
    say(f"rolled back under load in {times.rollback:.0f} s")


@asynccontextmanager
async def namespace(kube: Kube) -> AsyncIterator[None]:
    """A namespace that enforces restricted Pod Security, until the block ends."""
    await run("kubectl", "delete", "namespace", kube.namespace, "--ignore-not-found")
    await run("kubectl", "create", "namespace", kube.namespace)
    await run("kubectl", "label", "namespace", kube.namespace, RESTRICTED)
    yield
    await run("kubectl", "delete", "namespace", kube.namespace)


@asynccontextmanager
async def sandbox(release: Release) -> AsyncIterator[Sandbox]:
    """The release's sandbox Telegram, until the block ends."""
    token = await release.secret(f"{NAME}-sandbox", "TESTDC_TOKEN")
    async with release.kube.forwarded(f"deploy/{NAME}-testdc", 7001) as address:
        host, _, port = address.rpartition(":")
        async with Sandbox.connect(host, int(port), token) as found:
            yield found


async def kill_pods(kube: Kube, count: int, chance: random.Random) -> None:
    """Kill pods without a warning, one every few seconds, and wait until all are back."""
    for _ in range(count):
        service = chance.choice(VICTIMS)
        if found := await kube.pods(service):
            await kube.kubectl("delete", "pod", chance.choice(found), "--grace-period=0", "--force")
        await asyncio.sleep(chance.uniform(1, 5))
    await kube.available()
    say(f"killed {count} pods under load")


_BEGIN = time.monotonic()


def say(text: str) -> None:
    """Tell how far the run is."""
    print(f"{time.monotonic() - _BEGIN:4.0f} s  {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
