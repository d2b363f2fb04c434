"""What the tests of monitor share."""

from collections.abc import Iterator

import pytest

from services.chassis import metrics
from tests.integration.monitor.house import House


@pytest.fixture(scope="session", autouse=True)
def _page() -> Iterator[None]:
    """The metrics page of this process; it takes half a second to stop."""
    with metrics.serve("127.0.0.1:0") as House.page:
        yield
