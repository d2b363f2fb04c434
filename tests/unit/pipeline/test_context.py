"""What the agent is told of the conversation. F99."""

from hypothesis import given
from hypothesis import strategies as st

from services.pipeline.context import CHARACTERS, LONGEST, MESSAGES, fit, shorten
from services.pipeline.model import Said

histories = st.lists(st.integers(0, 6000), max_size=60).map(
    lambda lengths: [Said("Ada", f"{number}:" + "x" * length, number) for number, length in enumerate(lengths)]
)


@given(histories)
def test_the_newest_that_fit_are_told_in_order(history: list[Said]) -> None:
    told = fit(history)
    times = [said.send_time for said in told]
    assert times == [said.send_time for said in history][len(history) - len(told) :]
    assert len(told) <= MESSAGES
    assert sum(len(said.text) for said in told) <= CHARACTERS
    if len(told) < min(len(history), MESSAGES):
        following = shorten(history[-len(told) - 1])
        assert sum(len(said.text) for said in told) + len(following.text) > CHARACTERS


@given(histories)
def test_nothing_is_shortened_without_a_note(history: list[Said]) -> None:
    for said, original in zip(reversed(fit(history)), reversed(history), strict=False):
        assert said == original or (
            len(original.text) > LONGEST
            and said.text == f"{original.text[:LONGEST]}… (cut, {len(original.text):,} characters in all)"
        )


def test_one_long_message_does_not_starve_the_rest() -> None:
    history = [Said("Ada", f"{number}", number) for number in range(10)]
    told = fit([*history, Said("Eve", "x" * 10**6, 10)])
    assert [said.text for said in told[:-1]] == [f"{number}" for number in range(10)]
    assert told[-1].text.endswith("(cut, 1,000,000 characters in all)")


def test_nothing_said_is_nothing_told() -> None:
    assert fit([]) == ()
