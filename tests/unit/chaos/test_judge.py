"""The judge catches what it is there to catch."""

import pytest

from services.testdc.model import Action, ActionKind
from tests.chaos.judge import Question, judge

BOT, ADA, TEAM = 42, 7, -1001

QUESTIONS = [
    Question(str(ADA), 1, "10000001"),
    Question(str(ADA), 2, "word000002"),
    Question(str(TEAM), 3, "word000003"),
]


def record(*texts: tuple[int, int, str] | tuple[int, int, str, ActionKind]) -> list[Action]:
    """What the bot did: (chat, post, text[, kind])."""
    actions = []
    for seq, (chat, post, text, *kind) in enumerate(texts, start=1):
        actions.append(Action(seq, 0.0, kind[0] if kind else "send", BOT, chat, post=post, text=text))
    return actions


GOOD = [(ADA, 10, "1 + 10000000 = 10,000,001"), (ADA, 11, "word000002"), (TEAM, 12, "word000003")]


def test_a_clean_record_is_clean() -> None:
    verdict = judge(QUESTIONS, record(*GOOD), BOT)
    assert verdict.clean
    assert str(verdict) == "sent=3 answered=3 lost=0 doubled=0 out_of_order=0"


@pytest.mark.parametrize(
    ("actions", "lost", "doubled", "late"),
    [
        pytest.param(GOOD[:1] + GOOD[2:], ("word000002",), (), (), id="a loss"),
        pytest.param([*GOOD, (ADA, 13, "word000002")], (), ("word000002",), (), id="a double"),
        pytest.param([GOOD[1], GOOD[0], GOOD[2]], (), (), ("word000002",), id="a swap"),
        pytest.param([GOOD[0], (TEAM, 11, "word000002"), GOOD[2]], ("word000002",), (), (), id="the wrong chat"),
        pytest.param([*GOOD[:2], (TEAM, 12, "I am sorry.")], ("word000003",), (), (), id="an apology"),
        pytest.param([*GOOD, (TEAM, 12, "gone", "edit")], ("word000003",), (), (), id="edited away"),
        pytest.param([*GOOD, (TEAM, 12, "", "delete")], ("word000003",), (), (), id="deleted"),
        pytest.param([*GOOD[:2], (TEAM, 12, "…"), (TEAM, 12, "word000003", "edit")], (), (), (), id="a preview"),
        pytest.param(
            [*GOOD, (TEAM, 12, "word000003!", "edit")], (), (), (), id="an answer that was edited and stayed one"
        ),
    ],
)
def test_the_judge_catches(
    actions: list[tuple[int, int, str]], lost: tuple[str, ...], doubled: tuple[str, ...], late: tuple[str, ...]
) -> None:
    verdict = judge(QUESTIONS, record(*actions), BOT)
    assert (verdict.lost, verdict.doubled, verdict.out_of_order) == (lost, doubled, late)
    assert verdict.clean == (not (lost or doubled or late))


PROMISED = [QUESTIONS[0], Question(str(ADA), 2, "word000002", later=True), Question(str(ADA), 3, "word000003")]
REST = [(ADA, 10, "10000001"), (ADA, 11, "I will remind you on Mon 01 Jan 2029, 10:00 (UTC)."), (ADA, 12, "word000003")]


@pytest.mark.parametrize(
    ("actions", "lost", "doubled"),
    [
        pytest.param([*REST, (ADA, 13, "Reminder: say word000002")], (), (), id="kept"),
        pytest.param([(ADA, 9, "word000002"), *REST], (), (), id="kept before what was asked earlier"),
        pytest.param(REST, ("word000002",), (), id="forgotten"),
        pytest.param([*REST, (ADA, 13, "word000002"), (ADA, 14, "word000002")], (), ("word000002",), id="kept twice"),
        pytest.param(
            [*REST, (ADA, 13, "I could not keep promise 1 (“say word000002”). It failed.")],
            ("word000002",),
            (),
            id="not kept",
        ),
    ],
)
def test_a_promise_is_kept_once_and_has_no_order(
    actions: list[tuple[int, int, str]], lost: tuple[str, ...], doubled: tuple[str, ...]
) -> None:
    verdict = judge(PROMISED, record(*actions), BOT)
    assert (verdict.lost, verdict.doubled, verdict.out_of_order) == (lost, doubled, ())


def test_a_preview_counts_from_the_moment_it_became_the_answer() -> None:
    questions = [Question(str(TEAM), 1, "first"), Question(str(TEAM), 2, "second")]
    actions = record((TEAM, 10, "…"), (TEAM, 11, "second"), (TEAM, 10, "first", "edit"))
    assert judge(questions, actions, BOT).out_of_order == ("second",)


def test_what_people_write_is_no_answer() -> None:
    said = [Action(1, 0.0, "send", ADA, BOT, post=1, text="say word000002")]
    assert judge([QUESTIONS[1]], said, BOT).lost == ("word000002",)
