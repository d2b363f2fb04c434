"""A turn in plain words: what is asked, what the model answers, what its tools give, what the caller gets to know."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Said:
    """Something that was said in the chat. No speaker: Valor itself."""

    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Scope:
    """Who acts where with which rights, in the bytes that the pipeline signed; only toolrunner can check them."""

    content: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Steer:
    """Something that was said while the turn runs; `rewords`: it is the question itself, in another wording."""

    steer_id: str
    said: Said
    rewords: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """When a turn is stopped."""

    steps: int
    tool_calls: int
    equal_calls: int


@dataclass(frozen=True, slots=True)
class Promise:
    """What was promised earlier is due; times in seconds since the epoch."""

    create_time: float
    due_time: float


@dataclass(frozen=True, slots=True)
class Turn:
    """One attempt at answering one message."""

    scope: Scope
    question: Said
    reply_to: Said | None
    history: tuple[Said, ...]
    group: bool
    """Several people may speak."""
    checkpoints: tuple[bytes, ...]
    limits: Limits
    promise: Promise | None = None
    """Set: nobody asks just now; the question is what was promised."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What model calls cost."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    tool_calls: int = 0
    cost: int = 0
    """Millionths of a US dollar."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.tool_calls + other.tool_calls,
            self.cost + other.cost,
        )


@dataclass(frozen=True, slots=True)
class Price:
    """Millionths of a US dollar for a million tokens. `assumed`: nobody knows the price, and this is a high one."""

    input: int = 0
    output: int = 0
    assumed: bool = False

    def of(self, input_tokens: int, output_tokens: int) -> int:
        """What so many tokens cost, rounded up: millionths of a US dollar."""
        return -(-(self.input * input_tokens + self.output * output_tokens) // 1_000_000)


@dataclass(frozen=True, slots=True)
class About:
    """What is known of the model: its name in the settings, its price, and tokens of one response at most."""

    name: str
    price: Price
    max_output_tokens: int


@dataclass(frozen=True, slots=True)
class Tool:
    """Something the model may call."""

    name: str
    description: str
    schema: dict[str, Any] = field(hash=False)
    """JSON schema of the arguments."""
    side_effects: bool = False
    """It changes something outside."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that the model asks for; `index` is its position in the response."""

    index: int
    name: str
    arguments: str

    def parsed(self) -> dict[str, Any] | None:
        """The arguments as an object; None where the model wrote something else."""
        try:
            value = json.loads(self.arguments or "{}")
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


@dataclass(frozen=True, slots=True)
class Result:
    """What the model is told of a call."""

    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One response of the model. Without calls it is the final one."""

    text: str
    calls: tuple[Call, ...]
    usage: Usage
    model: str

    @property
    def empty(self) -> bool:
        """The model said nothing at all."""
        return not self.calls and not self.text.strip()


@dataclass(frozen=True, slots=True)
class Delta:
    """More of the answer's text; `restart`: what was streamed before was not the answer."""

    text: str
    restart: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A response that asks for tools is complete; they start when the caller has stored its checkpoint.

    `usage` is what the model was paid since the step before: an empty response that was asked for again counts.
    """

    step: int
    checkpoint: bytes
    usage: Usage
    steer_ids: tuple[str, ...] = ()
    """What was put before this step."""
    side_effects: bool = False
    """One of its tools changes something outside."""


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A tool call begins."""

    step: int
    index: int
    name: str


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool call is over."""

    step: int
    index: int
    failed: bool


@dataclass(frozen=True, slots=True)
class HostCall:
    """The caller is asked to do something that only it can do; arguments are JSON."""

    step: int
    index: int
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Output:
    """The answer, in Markdown, and what the whole turn cost; `last`: since the last step."""

    text: str
    usage: Usage
    model: str
    last: Usage = Usage()
    steer_ids: tuple[str, ...] = ()
    """What was put before the last model call. What is named neither here nor in a step came too late."""
    model_seconds: float = 0.0
    """In which this attempt waited for the model; the rest of its time is ours."""


Event = Delta | Step | ToolStarted | ToolFinished | HostCall | Output
