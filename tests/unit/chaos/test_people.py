"""What people write can be told apart by its answers."""

import random
import re

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.people import LEAST, addition


@given(st.integers(1, 100_000), st.integers())
def test_an_answer_is_a_token_and_what_is_added_is_none(number: int, seed: int) -> None:
    token, text = addition(number, random.Random(seed))
    added = [int(word) for word in re.findall(r"\d+", text)]
    assert sum(added) == int(token)
    assert int(token) > LEAST > max(added)
