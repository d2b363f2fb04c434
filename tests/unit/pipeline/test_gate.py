"""Who is answered, and how fast."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pipeline.gate import Pace, Verdict, decide, is_addressed, is_served_by_nobody
from services.pipeline.model import Account, ChatType, Entity, Message, Role, Sender
from tests.unit.pipeline.messages import ACCOUNT, entity, said

PRIVATE = {
    Role.OWNER: Verdict.ANSWER,
    Role.MEMBER: Verdict.ANSWER,
    Role.GUEST: Verdict.PAIR,
    Role.UNKNOWN: Verdict.WAIT,
}
UNLISTED = {
    Role.OWNER: Verdict.ANSWER,
    Role.MEMBER: Verdict.IGNORE,
    Role.GUEST: Verdict.IGNORE,
    Role.UNKNOWN: Verdict.WAIT,
}
GROUP = {
    (True, True): dict.fromkeys(Role, Verdict.ANSWER),
    (True, False): dict.fromkeys(Role, Verdict.CONTEXT),
    (False, True): UNLISTED,
    (False, False): dict.fromkeys(Role, Verdict.IGNORE),
}


@pytest.mark.parametrize(
    ("chat", "role", "listed", "addressed"), list(itertools.product(ChatType, Role, [True, False], [True, False]))
)
def test_who_is_answered_where(chat: ChatType, role: Role, *, listed: bool, addressed: bool) -> None:
    """F82."""
    expected = PRIVATE[role] if chat is ChatType.PRIVATE else GROUP[listed, addressed][role]
    assert decide(chat, role, listed=listed, addressed=addressed) is expected


@pytest.mark.parametrize(
    ("sender", "nobody"),
    [
        pytest.param(Sender(7), False, id="a person"),
        pytest.param(Sender(42), True, id="ourselves"),
        pytest.param(Sender(8, bot=True), True, id="another bot"),
        pytest.param(Sender(0), True, id="nobody"),
        pytest.param(Sender(-42), False, id="a channel with our number"),
    ],
)
def test_who_is_never_answered(sender: Sender, *, nobody: bool) -> None:
    """F1, F13."""
    assert is_served_by_nobody(said("hello", sender=sender)) is nobody


CALL = "🙂 @valor_BOT hi"
CUT = Entity("mention", 100, 10)


@pytest.mark.parametrize(
    ("message", "addressed"),
    [
        pytest.param(said("hello"), False, id="no entity"),
        pytest.param(said("@Valor_bot hi", ("mention", "@Valor_bot")), True, id="mention"),
        pytest.param(said(CALL, ("mention", "@valor_BOT")), True, id="mention in any case, behind an emoji"),
        pytest.param(said("hi @valor_bot"), False, id="name without entity"),
        pytest.param(said("@Valor_bot_2 hi", ("mention", "@Valor_bot_2")), False, id="longer name"),
        pytest.param(said("@Valor hi", ("mention", "@Valor")), False, id="shorter name"),
        pytest.param(said("@ hi", ("mention", "@")), False, id="empty name"),
        pytest.param(
            said("@Eve @Valor_bot", ("mention", "@Eve"), ("mention", "@Valor_bot")), True, id="second mention"
        ),
        pytest.param(said("Valor hi", entities=(Entity("text_mention", 0, 5, "42"),)), True, id="mention by id"),
        pytest.param(said("Valor hi", entities=(Entity("text_mention", 0, 5, "43"),)), False, id="mention of another"),
        pytest.param(said("Valor hi", entities=(Entity("text_mention", 0, 5, ""),)), False, id="mention of nobody"),
        pytest.param(said("/help", ("bot_command", "/help")), True, id="command"),
        pytest.param(said("/help@valor_BOT", ("bot_command", "/help@valor_BOT")), True, id="command by name"),
        pytest.param(said("/help@eve_bot", ("bot_command", "/help@eve_bot")), False, id="command for another bot"),
        pytest.param(said("try /help", ("bot_command", "/help")), False, id="command in a sentence"),
        pytest.param(said("@Valor_bot", ("bold", "@Valor_bot")), False, id="bold"),
        pytest.param(
            said("@Valor_bot", ("mention", "@Valor_bot"), account=Account("telegram", 42)), False, id="no name"
        ),
        pytest.param(said("@Valor_bot", entities=(CUT,)), False, id="entity beyond the text"),
        pytest.param(said("@Valor_bot", entities=(Entity("mention", -10, 10),)), False, id="entity before the text"),
        pytest.param(said("@Valor_bot", entities=(Entity("mention", 0, -1),)), False, id="entity of negative length"),
        pytest.param(said("🙂@Valor_bot", entities=(Entity("mention", 1, 11),)), True, id="from half a character on"),
        pytest.param(said("@Valor_bot", entities=(Entity("mention", 0, 999),)), True, id="entity too long"),
        pytest.param(said("\ud83d @Valor_bot", ("mention", "@Valor_bot")), True, id="invalid UTF-16"),
    ],
)
def test_who_speaks_to_us_in_a_group(message: Message, *, addressed: bool) -> None:
    """F82."""
    assert is_addressed(message) is addressed


def test_without_a_name_of_our_own_no_mention_is_ours() -> None:
    nameless = said("@ hello", account=replace(ACCOUNT, username=""))
    assert not is_addressed(replace(nameless, entities=(entity("mention", "@ hello", "@"),)))


@given(
    st.floats(0.5, 6000),
    st.integers(1, 50),
    st.lists(st.floats(0, 30), min_size=1, max_size=80),
)
def test_in_no_window_more_is_taken_than_burst_and_rate_allow(rate: float, burst: int, gaps: list[float]) -> None:
    """F37."""
    pace, arrival, now, starts = Pace(rate, burst), 0.0, 1_000.0, []
    for gap in gaps:
        now += gap
        start, arrival = pace.admit(arrival, now)
        assert start >= now
        starts.append(start)
    assert starts == sorted(starts)
    for (i, first), (j, last) in itertools.combinations(enumerate(starts), 2):
        assert j - i + 1 <= burst + (last - first) * rate / 60 + 1e-6


@given(st.floats(0.5, 6000), st.integers(1, 50), st.integers(1, 200))
def test_a_flood_waits_no_longer_than_it_must(rate: float, burst: int, count: int) -> None:
    pace, arrival, start = Pace(rate, burst), 0.0, 0.0
    for _ in range(count):
        start, arrival = pace.admit(arrival, 1_000.0)
    assert start - 1_000.0 == pytest.approx(max(0, count - burst) * 60 / rate, abs=1e-6)


def test_who_was_quiet_for_long_may_burst_again() -> None:
    pace, arrival = Pace(60, 3), 0.0
    for now in (0.0, 1_000_000.0):
        starts = []
        for _ in range(4):
            start, arrival = pace.admit(arrival, now)
            starts.append(start - now)
        assert starts == [0, 0, 0, 1]
