"""The security gate: who is answered. Deny is the default; every decision is a case in a table."""

from dataclasses import dataclass, replace
from enum import StrEnum

from services.pipeline.model import Account, ChatType, Entity, Message, Role
from services.pipeline.units import span


class Verdict(StrEnum):
    """What a message may ask for."""

    ANSWER = "answer"
    # Kept so that a later answer knows what was said.
    CONTEXT = "context"
    # A stranger in private: gets a pairing code.
    PAIR = "pair"
    # Not known yet, because people is away: stored, and decided when its turn comes.
    WAIT = "wait"
    IGNORE = "ignore"


def is_served_by_nobody(message: Message) -> bool:
    """Own messages and those of bots: nobody answers them, or two bots would answer each other for ever."""
    return message.sender.bot or message.sender.user_id in {0, message.account.account_id}


def decide(chat_type: ChatType, role: Role, *, listed: bool, addressed: bool) -> Verdict:
    """What a message may ask for.

    In private, those who were let in are answered. In a listed group, everybody who addresses Valor; in any other group
    the owner alone.
    """
    if chat_type is ChatType.PRIVATE:
        return _PRIVATE[role]
    if listed:
        return Verdict.ANSWER if addressed else Verdict.CONTEXT
    return _UNLISTED[role] if addressed else Verdict.IGNORE


_PRIVATE = {
    Role.OWNER: Verdict.ANSWER,
    Role.MEMBER: Verdict.ANSWER,
    Role.GUEST: Verdict.PAIR,
    Role.UNKNOWN: Verdict.WAIT,
}
_UNLISTED = {
    Role.OWNER: Verdict.ANSWER,
    Role.MEMBER: Verdict.IGNORE,
    Role.GUEST: Verdict.IGNORE,
    Role.UNKNOWN: Verdict.WAIT,
}


def asks(message: Message) -> bool:
    """A text that asks for an answer by itself: a command, or in a group a call of Valor's name."""
    if message.chat_type is ChatType.PRIVATE:
        return any(entity.type == "bot_command" and entity.offset == 0 for entity in message.entities)
    return is_addressed(message)


def asks_anew(message: Message, text: str, entities: tuple[Entity, ...]) -> bool:
    """An edited message asks for an answer, and did not in its wording before."""
    return asks(message) and not asks(replace(message, text=text, entities=entities))


def is_addressed(message: Message) -> bool:
    """A group message names Valor, or gives it a command. That it replies to Valor, only the store knows."""
    return any(
        _is_ours(message.account, message.text, entity.type, span(message.text, entity), entity.value)
        for entity in message.entities
    )


def _is_ours(account: Account, text: str, kind: str, shown: str, value: str) -> bool:
    if kind == "mention":
        return bool(account.username) and shown.lower() == f"@{account.username}".lower()
    if kind == "text_mention":
        return value == str(account.account_id)
    if kind == "bot_command":
        _, _, name = shown.partition("@")
        return text.startswith(shown) and name.lower() in {"", account.username.lower()}
    return False


@dataclass(frozen=True)
class Pace:
    """How fast one person's messages are taken (GCRA, as ATM networks have it): what comes faster waits its turn.

    Attributes:
        per_minute: Messages a minute in the long run.
        burst: Messages at once before anything waits.
    """

    per_minute: float
    burst: int

    @property
    def interval(self) -> float:
        """Seconds from one message to the next in the long run."""
        return 60.0 / self.per_minute

    def admit(self, arrival: float, now: float) -> tuple[float, float]:
        """When a message of a person may be worked on, and the person's next theoretical arrival time.

        `arrival` is what the person's last message left; 0 for the first.
        """
        following = max(arrival, now) + self.interval
        return max(now, following - self.burst * self.interval), following


@dataclass(frozen=True)
class Room:
    """How many turns may wait, of one person and of all; what comes then has to be submitted again later."""

    person: int = 2_000
    total: int = 20_000
