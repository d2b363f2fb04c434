"""What a message asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pipeline import commands, router
from services.pipeline.model import ChatType, Entity, Message
from services.pipeline.router import Ask, Command, Plain, command_of, route
from tests.unit.pipeline.messages import said

PRIVATE = ChatType.PRIVATE


def command(text: str, chat: ChatType = PRIVATE) -> Message:
    return said(text, ("bot_command", text.split(maxsplit=1)[0]), chat=chat)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(command("/help"), Command("help"), id="command"),
        pytest.param(command("/HELP me"), Command("help"), id="command in capitals, with words"),
        pytest.param(command("/help@valor_BOT"), Command("help"), id="command by name"),
        pytest.param(command("/help@eve_bot"), Ask("/help@eve_bot"), id="command for another bot"),
        pytest.param(said("/help", chat=PRIVATE), Ask("/help"), id="slash without entity"),
        pytest.param(said("use /help", ("bot_command", "/help"), chat=PRIVATE), Ask("use /help"), id="inside a text"),
        pytest.param(said("hello", chat=PRIVATE), Ask("hello"), id="text"),
        pytest.param(said("  hello\n", chat=PRIVATE), Ask("hello"), id="blanks around"),
        pytest.param(
            said("https://example.org", ("url", "https://example.org"), chat=PRIVATE), Ask("https://example.org")
        ),
        pytest.param(said("🙂", chat=PRIVATE), Ask("🙂"), id="emoji"),
        pytest.param(said("ok", chat=PRIVATE), Ask("ok"), id="one word"),
        pytest.param(said("?", chat=PRIVATE), Ask("?"), id="one sign"),
        pytest.param(said("", chat=PRIVATE), Ask("Hello!"), id="nothing"),
        pytest.param(said(" \n", chat=PRIVATE), Ask("Hello!"), id="blanks"),
        pytest.param(said("@Valor_bot", ("mention", "@Valor_bot")), Ask("Hello!"), id="our name alone"),
        pytest.param(said("@valor_BOT, why?", ("mention", "@valor_BOT")), Ask("why?"), id="our name first"),
        pytest.param(said("why, @Valor_bot?", ("mention", "@Valor_bot")), Ask("why, ?"), id="our name last"),
        pytest.param(said("@Eve @Valor_bot hi", ("mention", "@Eve"), ("mention", "@Valor_bot")), Ask("@Eve  hi")),
        pytest.param(
            said("@Valor_bot hi", ("mention", "@Valor_bot"), chat=PRIVATE), Ask("@Valor_bot hi"), id="private"
        ),
        pytest.param(said("what is this?", chat=PRIVATE, kind="photo"), Ask("what is this?"), id="photo with words"),
    ],
)
def test_route(message: Message, expected: router.Route) -> None:
    """F36, F84."""
    assert route(message) == expected


@pytest.mark.parametrize("kind", ["text", *router.UNREADABLE, "dice", "game", "invoice", "", "never heard of"])
@pytest.mark.parametrize("text", ["", " ", "🙂", "a caption"])
def test_every_kind_gets_a_word(kind: str, text: str) -> None:
    """F34, F35."""
    answer = route(said(text, chat=PRIVATE, kind=kind))
    assert isinstance(answer, Ask | Plain)
    assert answer.text.strip()
    if text == "🙂":
        assert answer == Ask("🙂")


def test_what_cannot_be_read_is_named() -> None:
    """F35."""
    for kind, name in router.UNREADABLE.items():
        assert route(said("", chat=PRIVATE, kind=kind)) == Plain(
            f"I cannot read {name} yet. Please write to me in words."
        )


@pytest.mark.parametrize(("length", "kind"), [(router.LONGEST, Ask), (router.LONGEST + 1, Plain), (100_000, Plain)])
def test_a_question_may_be_long_and_not_longer(length: int, kind: type) -> None:
    assert isinstance(route(said("x" * length, chat=PRIVATE)), kind)


def test_a_command_of_a_hundred_thousand_characters_is_still_one_word() -> None:
    assert route(command("/" + "x" * 100_000)) == Command("x" * 100_000)


def test_every_command_of_the_menu_routes_to_itself() -> None:
    """F97."""
    for spec in commands.COMMANDS:
        for text in (f"/{spec.name}", f"/{spec.name}@Valor_bot now"):
            assert command_of(command(text, ChatType.SUPERGROUP)) == Command(spec.name)


texts = st.text(max_size=60)
entities = st.lists(
    st.builds(
        Entity,
        st.sampled_from(["mention", "bot_command", "text_mention", "url"]),
        st.integers(-70, 70),
        st.integers(-70, 70),
        st.text(max_size=3),
    ),
    max_size=4,
)


@given(texts, entities, st.sampled_from(ChatType), st.sampled_from(["text", "photo", "?"]))
def test_no_message_ends_in_silence(text: str, found: list[Entity], chat: ChatType, kind: str) -> None:
    """F36."""
    answer = route(said(text, chat=chat, kind=kind, entities=tuple(found)))
    assert isinstance(answer, Command) or answer.text.strip()
