"""Why a turn could not be answered: what is tried again, and what the person is told. Plain words, no internals."""

from services.chassis.errors import Exhausted, TimedOut, Unavailable, ValorError

NO_AGENT = "NO_AGENT"
"""No agent could be reached in all the time that the turn had."""

NOT_ALLOWED = "PROMISE_NOT_ALLOWED"
"""Whoever asked for a promise may not talk to us any more."""

WORDS = {
    "MODEL_RATE_LIMITED": "My language model takes no more questions at the moment. Please ask again in a few minutes.",
    "MODEL_OVERLOADED": "My language model is overloaded at the moment. Please ask again in a few minutes.",
    "MODEL_UNREACHABLE": "I cannot reach my language model at the moment. Please ask again in a few minutes.",
    "MODEL_TIMEOUT": "My language model took too long to answer. Please ask again, or ask for less at once.",
    "MODEL_EMPTY": "My language model gave me an empty answer, twice. Please ask again in other words.",
    "MODEL_CONTEXT_EXCEEDED": "That is more text than my language model can hold at once. Please send less.",
    "MODEL_REFUSED_KEY": "My language model refuses my key. Whoever runs me has to look at it.",
    "MODEL_NO_CREDIT": "My language model has to be paid before it answers again. Whoever runs me has to look at it.",
    "MODEL_UNKNOWN": "My language model does not exist under its name. Whoever runs me has to look at it.",
    "MODEL_REFUSED_REQUEST": "My language model refused this question. Please ask in other words.",
    "STEP_LIMIT": "I worked on this for as many steps as I may and did not finish. Please ask for less at once.",
    "TOOL_LIMIT": "I used as many tools as I may for one answer and did not finish. Please ask for less at once.",
    "TOOL_LOOP": "I noticed that I was repeating the same step without getting further, so I stopped. "
    "Please ask in other words.",
    "UNDELIVERABLE": "I have an answer, but not all of it could be delivered here. "
    "It is noted, and whoever runs me can repeat it.",
    NO_AGENT: "The part of me that thinks could not be reached for too long, so I stopped trying. "
    "It is noted, and whoever runs me can repeat it.",
    "TURN_TIMEOUT": "This took longer than I may work on one answer, so I stopped. Please ask for less at once.",
    "PROMISE_TIMEOUT": "It took longer than the time that was set for it, so I stopped.",
    NOT_ALLOWED: "Whoever asked for it may not talk to me any more.",
}

UNKNOWN = "Something went wrong on my side and I could not answer this. It is noted, and whoever runs me can repeat it."

ATTEMPTS = 4
"""Failures of the model before a turn is given up; a killed process does not count."""

ATTEMPTS_AT_LIMITS = 9
"""The same while the model takes no more questions for now: with growing waits about three minutes."""

WAITING = "My language model takes no more questions for the moment. I will answer as soon as it does; please wait."
"""What the person is told once, meanwhile."""

NOBODY = "The part of me that thinks cannot be reached at the moment. I will answer as soon as it can; please wait."
"""What the person is told once, while no agent can be reached."""

NOTABLE = 2.0
"""Seconds; nobody is told of a shorter wait."""

LONGEST_WAIT = 60.0
"""Seconds between two attempts at most."""


UNWANTED = frozenset(
    {
        "USER_IS_BLOCKED",
        "INPUT_USER_DEACTIVATED",
        "CHAT_WRITE_FORBIDDEN",
        "CHAT_RESTRICTED",
        "CHANNEL_PRIVATE",
        "USER_BANNED_IN_CHANNEL",
    }
)
"""Refusals by which a channel says that a person or a chat wants no word from us: nobody failed them."""


def words(reason: str) -> str:
    """What the person is told."""
    return WORDS.get(reason, UNKNOWN)


def is_of_the_model(error: ValorError) -> bool:
    """The model failed; everything else that is away comes back without the person's doing."""
    return error.reason.startswith("MODEL_")


UNPAID = frozenset(
    {
        "MODEL_RATE_LIMITED",
        "MODEL_OVERLOADED",
        "MODEL_REFUSED_KEY",
        "MODEL_NO_CREDIT",
        "MODEL_UNKNOWN",
        "MODEL_CONTEXT_EXCEEDED",
        "MODEL_REFUSED_REQUEST",
        "STEP_LIMIT",
        "TOOL_LIMIT",
        "TOOL_LOOP",
    }
)
"""The call was refused, or not made at all. A call that broke off or fell silent may well be billed."""


def is_unpaid(error: ValorError) -> bool:
    """Nobody bills the model call under way."""
    return error.reason in UNPAID


def is_of_limits(error: ValorError) -> bool:
    """The model would answer, but takes no more for now."""
    return error.reason == "MODEL_RATE_LIMITED"


def is_worth_telling(error: ValorError, attempts: int) -> bool:
    """The person has to be told that the answer takes longer."""
    return is_of_limits(error) and wait(error, attempts) >= NOTABLE


def attempts(error: ValorError) -> int:
    """Failures of this kind before a turn is given up."""
    return ATTEMPTS_AT_LIMITS if is_of_limits(error) else ATTEMPTS


def is_passing(error: ValorError) -> bool:
    """The same call may succeed later."""
    return isinstance(error, Unavailable | Exhausted | TimedOut)


def wait(error: ValorError, attempts: int) -> float:
    """Seconds until the next attempt: what the error says, else 1, doubled with every attempt."""
    return min(LONGEST_WAIT, error.retry_after if error.retry_after is not None else 2.0 ** (attempts - 1))
