"""What is fleeting as a note, and back."""

import pytest

from services.pipeline.adapters.fleeting import dump, load
from services.pipeline.model import Account, Address, Preview, Typing

ACCOUNT = Account("telegram", 42, "valor_bot")


@pytest.mark.parametrize(
    "event",
    [
        Preview(7, ACCOUNT, Address(8), "so far “…” 🙂", target=9),
        Preview(7, ACCOUNT, Address(-8, 5), ""),
        Typing(7, ACCOUNT, Address(8)),
    ],
)
def test_a_note_says_what_was_to_be_shown(event: Preview | Typing) -> None:
    assert load(dump(event)) == event
