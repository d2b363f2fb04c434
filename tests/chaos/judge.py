"""The judge: reads only what the sandbox Telegram recorded, and counts what was lost, doubled or out of order."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.testdc.model import Action

NOT_KEPT = "I could not keep promise"
"""How the message begins that names what was promised and tells that it was not kept: no answer to anything."""


@dataclass(frozen=True)
class Question:
    """A message that wants an answer; the answer is the one message in its place that has its token as a word."""

    place: str
    post: int
    token: str
    instead: str = ""
    """The token after an edit: the one message has this one or the first one."""
    optional: bool = False
    """It was deleted, or somebody pressed stop: one answer at most."""
    later: bool = False
    """It asks for a promise: it is kept once, before or after whatever is answered meanwhile."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """What tells its answer."""
        return (self.token, self.instead) if self.instead else (self.token,)


@dataclass(frozen=True)
class Verdict:
    """What became of the questions."""

    sent: int
    answered: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    out_of_order: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Every question was answered exactly once and in order."""
        return self.answered == self.sent and not (self.lost or self.doubled or self.out_of_order)

    def __str__(self) -> str:
        """The last line of a run, but for kills and seed."""
        return (
            f"sent={self.sent} answered={self.answered} lost={len(self.lost)}"
            f" doubled={len(self.doubled)} out_of_order={len(self.out_of_order)}"
        )


@dataclass
class _Shown:
    """A message of the bot's as people saw it: its last text, and when it first had each word."""

    place: str
    text: str
    words: dict[str, int]


def place_of(chat: int, topic: int | None) -> str:
    """A chat, or a topic of it; each has its own order."""
    return str(chat) if topic is None else f"{chat}/{topic}"


def judge(questions: Sequence[Question], record: Iterable[Action], bot: int) -> Verdict:
    """Compare what was asked with what people saw of the bot.

    A message counts with its last text. Answers are ordered by the moment at which they had their token first, so a
    preview that became an answer counts when it became one. An answer is out of order when one to an earlier question
    of the same place came after it; promises have no order.
    """
    shown = [message for message in _shown(record, bot) if not message.text.startswith(NOT_KEPT)]
    by_word: dict[tuple[str, str], list[_Shown]] = defaultdict(list)
    for message in shown:
        for word in set(_words(message.text)):
            by_word[message.place, word].append(message)
    found = {question: _answers(question, by_word) for question in questions}
    required = [question for question in questions if not question.optional]
    return Verdict(
        sent=len(required),
        answered=sum(bool(found[question]) for question in required),
        lost=tuple(question.token for question in required if not found[question]),
        doubled=tuple(question.token for question, answers in found.items() if len(answers) > 1),
        out_of_order=tuple(_late(questions, found)),
    )


def _answers(question: Question, by_word: dict[tuple[str, str], list[_Shown]]) -> list[_Shown]:
    found = {id(message): message for token in question.tokens for message in by_word[question.place, token]}
    return list(found.values())


def _shown(record: Iterable[Action], bot: int) -> list[_Shown]:
    messages: dict[int, _Shown] = {}
    for action in record:
        if action.post is None:
            continue
        if action.kind == "delete":
            messages.pop(action.post, None)
        elif action.account == bot and action.kind in {"send", "edit"}:
            message = messages.setdefault(action.post, _Shown(place_of(action.chat, action.topic), "", {}))
            message.text = action.text
            for word in _words(action.text):
                message.words.setdefault(word, action.seq)
    return list(messages.values())


def _late(questions: Sequence[Question], found: dict[Question, list[_Shown]]) -> Iterable[str]:
    newest: dict[str, int] = defaultdict(int)
    for question in questions:
        if question.later or not found[question]:
            continue
        moment = min(_moment(question, message) for message in found[question])
        if moment < newest[question.place]:
            yield question.token
        newest[question.place] = max(newest[question.place], moment)


def _moment(question: Question, message: _Shown) -> int:
    return min(message.words[token] for token in question.tokens if token in message.words)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", re.sub(r"(?<=\d),(?=\d{3})", "", text))
