"""Networks between services: each caller has a wire of its own to every replica of what it calls."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from tests.support.wire import Wire

CALLS = {
    "telegram": ("pipeline",),
    "pipeline": ("agent", "people"),
    "agent": ("toolrunner",),
}
"""Who calls whom."""
STORES = ("people", "toolrunner", "pipeline", "telegram")
"""Who keeps something."""


@asynccontextmanager
async def links(targets: Mapping[str, str]) -> AsyncIterator[dict[str, Wire]]:
    """A wire to each target, by name."""
    wires = {name: Wire(target) for name, target in targets.items()}
    async with AsyncExitStack() as stack:
        for wire in wires.values():
            await stack.enter_async_context(wire.open())
        yield wires
