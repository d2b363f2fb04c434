"""Requests that are wrong, and messages that are odd."""

import asyncio
import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.chassis import client
from services.chassis.credential import Token
from services.chassis.errors import InvalidArgument, NotFound, Unauthenticated
from services.pipeline.router import LONGEST
from tests.integration.pipeline.house import (
    ADA,
    GROUP,
    MEMBERS,
    OTHER_GROUP,
    House,
    Pipeline,
    message,
    until,
)
from tests.integration.pipeline.processes import PipelineProcess
from valor.common.v1 import common_pb2 as common
from valor.pipeline.v1 import pipeline_pb2 as pb

NOBODY = common.Account(channel="telegram")
NOWHERE = common.Account(account_id=42)
ODD = common.Account(channel="telegram:42", account_id=42)


def submission(**fields: Any) -> pb.SubmitMessageRequest:
    request = message()
    for name in fields:
        request.ClearField(name)  # type: ignore[arg-type]
    request.MergeFrom(pb.SubmitMessageRequest(**fields))
    return request


def long_ago() -> pb.SubmitMessageRequest:
    request = message()
    request.send_time.seconds = 2**62
    return request


WRONG: list[tuple[str, Any, str]] = [
    ("SubmitMessage", pb.SubmitMessageRequest(), "chat_type"),
    ("SubmitMessage", submission(account=NOWHERE), "account.channel"),
    ("SubmitMessage", submission(account=ODD), "account.channel"),
    ("SubmitMessage", submission(account=NOBODY), "account.account_id"),
    ("SubmitMessage", submission(address=common.Address()), "address.chat_id"),
    ("SubmitMessage", submission(message_id=0), "message_id"),
    ("SubmitMessage", submission(message_id=-1), "message_id"),
    ("SubmitMessage", submission(chat_type=pb.CHAT_TYPE_UNSPECIFIED), "chat_type"),
    ("SubmitMessage", long_ago(), "send_time"),
    ("DeleteMessages", pb.DeleteMessagesRequest(message_ids=[1]), "account.channel"),
    ("RecordDelivery", pb.RecordDeliveryRequest(part_id="1"), "outcome"),
    ("RecordDelivery", pb.RecordDeliveryRequest(part_id="1", message_id=-1), "outcome"),
    ("RecordDelivery", pb.RecordDeliveryRequest(part_id="1", error=pb.DeliveryError()), "outcome"),
    ("RecordDelivery", pb.RecordDeliveryRequest(part_id="one", message_id=1), "part_id"),
    ("RecordDelivery", pb.RecordDeliveryRequest(part_id="9" * 30, message_id=1), "part_id"),
    ("RecordDelivery", pb.RecordDeliveryRequest(message_id=1), "part_id"),
    ("GetTurn", pb.GetTurnRequest(), "turn_id"),
    ("GetTurn", pb.GetTurnRequest(turn_id="-1"), "turn_id"),
    ("GetTurn", pb.GetTurnRequest(message=pb.MessageKey(chat_id=1, message_id=1)), "account.channel"),
    ("ReplayTurn", pb.ReplayTurnRequest(), "turn_id"),
    ("ListDeadLetters", pb.ListDeadLettersRequest(page_size=-1), "page_size"),
    ("ListDeadLetters", pb.ListDeadLettersRequest(page_token="there"), "page_token"),
]


async def test_a_wrong_request_is_refused_by_the_name_of_its_field(house: House) -> None:
    for method, request, field in WRONG:
        with pytest.raises(InvalidArgument) as error:
            await house.pipeline.call(method, request)
        assert error.value.field == field, request
    assert house.rows("SELECT id FROM chat_history") == []


async def test_a_stream_for_nobody_is_refused(house: House) -> None:
    stream = house.pipeline.stub.Follow(pb.FollowRequest(), metadata=house.pipeline.caller.metadata())
    with pytest.raises(InvalidArgument), client.translated():
        await stream.read()


async def test_a_caller_without_the_token_is_refused(house: House) -> None:
    """F110."""
    async with client.connect(house.service.address, Token("another-token")) as caller:
        with pytest.raises(Unauthenticated):
            await Pipeline(caller).submit(message())


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        pytest.param(message("x" * 200_000), f"I can read {LONGEST:,} at once", id="a book"),
        pytest.param(message(" \n\t "), "answer to Hello!", id="blanks"),
        pytest.param(message("\0"), "answer to \0", id="NUL"),
        pytest.param(message("🙂"), "answer to 🙂", id="emoji"),
        pytest.param(message("https://example.org"), "answer to https://example.org", id="link"),
        pytest.param(message("ok"), "answer to ok", id="one word"),
        pytest.param(message("*_[`<&"), "answer to *_[`<&", id="broken Markdown"),
        pytest.param(message("/" + "x" * 4000), "I do not know /xxx", id="long command"),
        pytest.param(message("\u202egnirts \u200b\ufeff"), "answer to", id="invisible"),
        pytest.param(message("hi", topic=-5), "answer to hi", id="topic below zero"),
        pytest.param(message("hi", version=-1), "answer to hi", id="version below zero"),
        pytest.param(message("hi", reply_to_message_id=-9), "answer to hi", id="reply to nothing"),
        pytest.param(message("hi", number=2**63 - 1), "answer to hi", id="largest id"),
    ],
)
async def test_an_odd_message_is_answered(house: House, request_: pb.SubmitMessageRequest, answer: str) -> None:
    """F36."""
    await house.pipeline.submit(request_)
    await until(lambda: house.channel.posts)
    assert answer in house.channel.posts[0].texts[0].replace("\ufffd", "\0")  # PostgreSQL keeps no NUL


async def test_entities_that_point_anywhere_break_nothing(house: House) -> None:
    ends = (-(2**31), -1, 0, 1, 14, 15, 99, 2**31 - 1)
    kinds = ("mention", "bot_command", "text_mention", "bold")
    for number, (kind, offset, length) in enumerate(itertools.product(kinds, ends, ends), start=1):
        request = message("@valor_bot hi 🙂", chat=GROUP, number=number)
        request.entities.append(common.Entity(type=kind, offset=offset, length=length, value="x"))
        await house.pipeline.submit(request)
    await house.pipeline.until(number, "done", GROUP)
    assert house.rows("SELECT DISTINCT state FROM turns") == ["done"]


def odd_request(dice: random.Random) -> pb.SubmitMessageRequest:
    number = dice.randrange(1, 10**9)
    kinds: list[Callable[[], pb.SubmitMessageRequest]] = [
        lambda: message("x" * dice.randrange(100_000), chat=MEMBERS[0], number=number),
        lambda: message("hello", chat=OTHER_GROUP, number=number),
        lambda: message("hello", chat=10**6 + dice.randrange(100), number=number),
        lambda: message(chr(dice.randrange(0xD800)) * 50, chat=GROUP, number=number),
        lambda: message("@valor_bot", chat=GROUP, topic=dice.randrange(99), number=number, kind="?"),
        lambda: message("", number=0),
        lambda: submission(chat_type=pb.CHAT_TYPE_UNSPECIFIED),
        lambda: message("hello", chat=MEMBERS[1], number=1),
        lambda: message("bot", chat=GROUP, number=number, sender=pb.Sender(user_id=5, bot=True)),
        lambda: message("late", chat=MEMBERS[2], number=number, edited=True),
    ]
    return dice.choice(kinds)()


@pytest.mark.timeout(300)
async def test_ten_thousand_odd_inputs_cost_no_memory_and_hold_nobody_up(tmp_path: Path) -> None:
    """F74."""
    dice = random.Random(5)
    async with House(tmp_path).open() as house:
        await house.service.stop()
        async with PipelineProcess(house).running() as process:

            async def write(count: int) -> None:
                for _ in range(count):
                    try:
                        await house.pipeline.submit(odd_request(dice))
                    except InvalidArgument:
                        refused.append(1)

            async def look(count: int) -> None:
                for number in range(count):
                    key = pb.GetTurnRequest(turn_id=str(10**9 + number))
                    with pytest.raises(NotFound):
                        await house.pipeline.call("GetTurn", key)
                    await house.pipeline.record(str(10**9 + number), 1)

            refused: list[int] = []
            await asyncio.gather(*(write(50) for _ in range(20)))
            before = process.memory()
            await asyncio.gather(*(write(400) for _ in range(20)), *(look(50) for _ in range(20)))
            await house.ask("hello", chat=ADA)
            assert house.channel.texts(ADA) == ["answer to hello"]
            assert refused
            assert process.memory() - before < 20
