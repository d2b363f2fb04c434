"""What is tried again, and what the person is told."""

import inspect
import re

import pytest

from services.chassis import errors
from services.chassis.errors import Exhausted, Internal, Unavailable, ValorError, WrongState
from services.pipeline import failures

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, ValorError)]
PASSING = {errors.Unavailable, errors.Exhausted, errors.TimedOut}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda cls: cls.__name__)
def test_only_what_may_pass_is_tried_again(kind: type[ValorError]) -> None:
    assert failures.is_passing(kind("away")) is (kind in PASSING)


@pytest.mark.parametrize("reason", [*failures.WORDS, "INTERNAL", "NEVER_HEARD_OF", ""])
def test_every_reason_has_plain_words(reason: str) -> None:
    """F93."""
    words = failures.words(reason)
    assert re.fullmatch(r"[A-Z][^_{}<>\[\]/\\]+\.", words)
    assert not reason or reason not in words
    assert not re.search(r"error|exception|gRPC|traceback|None|null|http", words, re.IGNORECASE)


def test_only_the_models_failures_count_as_attempts() -> None:
    assert failures.is_of_the_model(Unavailable("busy", reason="MODEL_OVERLOADED"))
    assert not failures.is_of_the_model(Unavailable("gone"))
    assert not failures.is_of_the_model(Internal("bug"))


def test_a_model_without_credit_is_no_matter_of_words_and_its_refusal_is_not_paid() -> None:
    error = WrongState("no credit", reason="MODEL_NO_CREDIT")
    assert "Whoever runs me" in failures.words(error.reason)
    assert failures.is_unpaid(error)


@pytest.mark.parametrize(
    ("attempts", "retry_after", "seconds"),
    [(1, None, 1), (2, None, 2), (3, None, 4), (99, None, 60), (1, 7.5, 7.5), (3, 0.0, 0.0), (1, 3600.0, 60)],
)
def test_waits_grow_and_follow_what_the_model_says(attempts: int, retry_after: float | None, seconds: float) -> None:
    assert failures.wait(Exhausted("slow", retry_after=retry_after), attempts) == seconds
