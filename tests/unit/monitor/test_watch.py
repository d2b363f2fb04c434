"""When a measurement is made anew."""

from collections.abc import Collection, Mapping, Sequence

import pytest

from services.chassis.ladder import Limits
from services.monitor.model import Addresses, Figures, Memory, Part, Probe, Target
from services.monitor.watch import Watch

TARGET = Target("agent", "agents.test", 7001, 7002)


class World:
    """Two agents, and how often they were looked at."""

    def __init__(self) -> None:
        self.now, self.looks = 1_000.0, 0
        self.watch = Watch(
            [TARGET],
            names=self,
            prober=self,
            pages=self,
            machine=self,
            queue=None,
            limits=Limits(),
            interval=5.0,
            clock=lambda: self.now,
        )

    async def look_up(self, hosts: Collection[str]) -> Mapping[str, Addresses]:
        assert list(hosts) == ["agents.test"]
        return {"agents.test": ("10.0.0.1", "10.0.0.2")}

    async def probe(self, targets: Sequence[Target], addresses: Mapping[str, Addresses]) -> tuple[Part, ...]:
        self.looks += 1
        return tuple(
            Part(target.name, tuple(_replica(target, each) for each in addresses[target.host])) for target in targets
        )

    async def read(self, addresses: Collection[str]) -> Mapping[str, Figures | str]:
        return {each: Figures(live={"agent": int(each[7])}) for each in addresses}

    async def memory(self) -> Memory:
        return Memory(1, 2)


def _replica(target: Target, address: str) -> Probe:
    return Probe(target.health_at(address), metrics=target.metrics_at(address))


@pytest.mark.parametrize(
    ("seconds", "looks"),
    [
        pytest.param(4.9, 1, id="it is young"),
        pytest.param(5.0, 2, id="it is old"),
        pytest.param(-3_600.0, 2, id="the clock was turned back"),
    ],
)
async def test_a_measurement_is_good_for_an_interval(seconds: float, looks: int) -> None:
    world = World()
    await world.watch.measured()
    world.now += seconds
    await world.watch.measured()
    assert world.looks == looks


async def test_every_replica_is_a_process_of_its_own() -> None:
    seen = (await World().watch.measured()).seen
    assert [(process.address, process.sessions) for process in seen.processes] == [
        ("10.0.0.1:7002", 1),
        ("10.0.0.2:7002", 2),
    ]
