"""What the offline model makes of a message."""

import json
from typing import Any

import pytest

from services.agent import offline
from services.agent.model import Limits, Result, Said, Scope, Turn
from services.agent.rules import HELP, SELF, WHO, Say, Use

EARLIER = (
    Said("Ada", "The trip goes to Rome."),
    Said("", "Noted."),
    Said("Bob", "Me too."),
    Said("Ada", "I like figs."),
)


def turn(text: str, history: tuple[Said, ...] = EARLIER) -> Turn:
    return Turn(Scope(), Said("Ada", text), None, history, False, (), Limits(5, 5, 3))


def uses(text: str) -> list[tuple[str, dict[str, Any]]]:
    return [(part.tool, part.arguments) for part in offline.plan(turn(text)) if isinstance(part, Use)]


def said(text: str, *results: Result) -> str:
    return offline.answer(offline.plan(turn(text)), results)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("what is 17 * 23?", "17 * 23"),
        ("What's 17*23", "17 * 23"),
        ("17 × 23", "17 * 23"),
        ("17 x 23 = ?", "17 * 23"),
        ("12 plus 30", "12 + 30"),
        ("how much is 12 minus 30?", "12 - 30"),
        ("calculate 100 divided by 8", "100 / 8"),
        ("Valor, what is 2 times 3?", "2 * 3"),
        ("@valor_bot 2+2", "2 + 2"),
        ("Can you please tell me what is 2+2?", "2 + 2"),
        ("15% of 80", "15 / 100 * 80"),
        ("what is 12.5 percent of 64?", "12.5 / 100 * 64"),
        ("sqrt(2)", "((2) ** 0.5)"),
        ("square root of 81", "(81 ** 0.5)"),
        ("√16 + 1", "(16 ** 0.5) + 1"),
        ("2^10", "2 ** 10"),
        ("2 to the power of 10", "2 ** 10"),
        ("5 squared", "5 ** 2"),
        ("(1 + 2) * -3", "(1 + 2) * -3"),
        ("1,234.5 * 2", "1234.5 * 2"),
        ("1,000,000 / 3", "1000000 / 3"),
        ("3,5 + 1", "3.5 + 1"),
        ("half of 9", "0.5 * 9"),
        ("7 mod 3", "7 % 3"),
        ("add 3 and 4", "3 + 4"),
        ("subtract 3 from 10", "10 - 3"),
        ("multiply 6 by 7", "6 * 7"),
        ("the sum of 3 and 4", "3 + 4"),
    ],
)
def test_a_sum_is_left_to_the_tool(text: str, code: str) -> None:
    assert uses(text) == [("run_python", {"code": code})]


@pytest.mark.parametrize(
    "text",
    [
        "2024",
        "my number is 5 + 5 + 5 something",
        "2024-11-03",
        "meet me at 10",
        "1.2.3 + 4",
        "(1 + 2",
        "1 +",
        "we are 3 x friends",
        "+",
        "-5",
    ],
)
def test_what_only_looks_like_a_sum_is_none(text: str) -> None:
    assert uses(text) == []
    assert said(text) == offline.UNKNOWN


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        ("what time is it?", "current_time", {"timezone": "UTC"}),
        ("What's the time?", "current_time", {"timezone": "UTC"}),
        ("how late is it", "current_time", {"timezone": "UTC"}),
        ("what time is it in Tokyo right now?", "current_time", {"timezone": "Tokyo"}),
        ("current time in New York", "current_time", {"timezone": "New York"}),
        ("time at Europe/Berlin, please", "current_time", {"timezone": "Europe/Berlin"}),
        ("what day is it today?", "current_time", {"timezone": "UTC"}),
        ("what is the date in Sydney?", "current_time", {"timezone": "Sydney"}),
        ("which weekday is today", "current_time", {"timezone": "UTC"}),
        ("today's date", "current_time", {"timezone": "UTC"}),
        ("what did I say about the trip?", "search_history", {"query": "trip", "limit": 5}),
        ("what did we discuss about Rome", "search_history", {"query": "Rome", "limit": 5}),
        ("when did Bob mention figs?", "search_history", {"query": "figs", "limit": 5}),
        ("who said figs?", "search_history", {"query": "figs", "limit": 5}),
        ("did I ever mention “figs”?", "search_history", {"query": "figs", "limit": 5}),
        ("search our chat for figs and dates", "search_history", {"query": "figs dates", "limit": 5}),
        ("find the recipe in this chat", "search_history", {"query": "recipe", "limit": 5}),
        ("what do the docs say about backups?", "search_knowledge", {"query": "backups", "limit": 3}),
        ("what does the handbook say on leases", "search_knowledge", {"query": "leases", "limit": 3}),
        ("search the knowledge base for leases", "search_knowledge", {"query": "leases", "limit": 3}),
        ("look up flood waits", "search_knowledge", {"query": "flood waits", "limit": 3}),
        ("how do I make a backup?", "search_knowledge", {"query": "make backup", "limit": 3}),
        ("what is a lease?", "search_knowledge", {"query": "lease", "limit": 3}),
        ("tell me about flood waits", "search_knowledge", {"query": "flood waits", "limit": 3}),
        ("how do I install and run it?", "search_knowledge", {"query": "install run", "limit": 3}),
        ("what's the time zone of a turn", "search_knowledge", {"query": "time zone turn", "limit": 3}),
        ("react with 👍", "react", {"emoji": "👍"}),
        ("please react to this with a ❤️", "react", {"emoji": "❤️"}),
        ("give me a thumbs up", "react", {"emoji": "👍"}),
    ],
)
def test_a_question_goes_to_the_tool_that_knows(text: str, tool: str, arguments: dict[str, Any]) -> None:
    assert uses(text) == [(tool, arguments)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("repeat: Hello, World!", "Hello, World!"),
        ("Say what is 2+2?", "what is 2+2?"),
        ("echo two\nlines", "two\nlines"),
        ("who are you?", WHO),
        ("Are you a real person?", WHO),
        ("which model are you", WHO),
        ("help", HELP),
        ("What can you do?", HELP),
        ("ping", "pong"),
        ("Hello!", f"Hello! {SELF} Say “help” to see what I can do."),
        ("hi there", f"Hello! {SELF} Say “help” to see what I can do."),
        ("Thank you so much!", "You are welcome."),
        ("how are you?", "All my rules are in order."),
        ("what was my last message?", "Your last message was: “I like figs.”"),
        ("what did I just say?", "Your last message was: “I like figs.”"),
        ("What was my first message?", "The first message of yours that I can see here was: “The trip goes to Rome.”"),
        ("colourless green ideas sleep furiously", offline.UNKNOWN),
        ("Book me a flight.", offline.UNKNOWN),
        ("?!", offline.UNKNOWN),
    ],
)
def test_what_needs_no_tool_is_answered(text: str, expected: str) -> None:
    assert said(text) == expected


def test_a_first_message_has_none_before_it() -> None:
    assert "first message of yours" in offline.answer(offline.plan(turn("what was my last message?", ())), [])


@pytest.mark.parametrize(
    ("text", "tools"),
    [
        ("What is 2+2? And what time is it?", ["run_python", "current_time"]),
        ("what is 2+2 and what time is it in Rome", ["run_python", "current_time"]),
        ("react with 👍 and then tell me the time", ["react", "current_time"]),
        ("Hi! What is 2+2? Thanks!", ["run_python"]),
        ("2+2\n3+3", ["run_python", "run_python"]),
    ],
)
def test_several_questions_use_several_tools(text: str, tools: list[str]) -> None:
    assert [tool for tool, _ in uses(text)] == tools
    assert offline.REST not in said(text, *[Result("Value: 1")] * len(tools))


def test_what_is_not_understood_beside_a_question_is_named() -> None:
    assert said("What is 2+2? Book me a flight.", Result("Value: 4")) == f"2+2 = 4\n\n{offline.REST}"


def test_many_questions_are_answered_up_to_a_limit() -> None:
    parts = offline.plan(turn("\n".join(f"{n}+{n}" for n in range(9))))
    assert len([part for part in parts if isinstance(part, Use)]) == offline.PARTS
    assert parts[-1] == Say(offline.REST)


@pytest.mark.parametrize(
    ("text", "result", "expected"),
    [
        ("what is 17 * 23?", Result("Value: 391"), "17 * 23 = 391"),
        ("0.1 + 0.2", Result("Value: 0.30000000000000004"), "0.1 + 0.2 = 0.3"),
        ("2^100", Result(f"Value: {2**100}"), f"2^100 = {2**100}"),
        (
            "1/0",
            Result("The tool failed (execution): division by zero", failed=True),
            "That did not work: The tool failed (execution): division by zero",
        ),
        (
            "time in Rome",
            Result("Monday, 02 November 2026, 14:05:06 in Europe/Rome (CET); 2026-11-02"),
            "It is Monday, 02 November 2026, 14:05:06 in Europe/Rome (CET).",
        ),
        ("react with 👍", Result('{"result": "done"}'), "Done: 👍"),
        (
            "what is a lease?",
            Result("[a.md › Lease]\nA lease ends."),
            "From the documents:\n\n[a.md › Lease]\nA lease ends.",
        ),
        (
            "what is a lease?",
            Result("Nothing found in 3 documents."),
            "Nothing found in 3 documents. I am the offline model and know nothing beyond them.",
        ),
        ("who said figs?", Result("[]"), "I found nothing about “figs” in this chat."),
    ],
)
def test_a_result_is_phrased(text: str, result: Result, expected: str) -> None:
    assert said(text, result) == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("what did I say about figs?", ["- Ada: figs!"]),
        ("what did you say about figs?", ["- Valor: Figs are fruit."]),
        ("what did we say about figs?", ["- Ada: figs!", "- Valor: Figs are fruit."]),
    ],
)
def test_a_search_of_the_chat_names_who_said_what(text: str, shown: list[str]) -> None:
    found = [{"speaker": "Ada", "text": "figs!"}, {"speaker": "Valor", "text": "Figs are fruit."}]
    assert said(text, Result(json.dumps(found))).splitlines()[2:] == shown


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("remind me in 5 minutes to stretch", {"what": "stretch", "when": "in 5 minutes"}),
        ("Please remind me to call Bob in 2 hours.", {"what": "call Bob", "when": "in 2 hours"}),
        ("remind me in half an hour to eat and then sleep", {"what": "eat and then sleep", "when": "in half an hour"}),
        ("remind us tomorrow at 9:00 of the trip", {"what": "the trip", "when": "tomorrow at 9:00"}),
        ("at 18:00, remind me to go", {"what": "go", "when": "at 18:00"}),
        ("remind me on 2026-12-24 18:00 to sing", {"what": "sing", "when": "on 2026-12-24 18:00"}),
        ("every day at 9:00 remind me of the stand-up", {"what": "the stand-up", "every": "day at 9:00"}),
        ("remind me every monday at 9:00 to plan", {"what": "plan", "every": "monday at 9:00"}),
    ],
)
def test_reminders(text: str, arguments: dict[str, Any]) -> None:
    assert uses(text) == [("make_promise", {**arguments, "reminder": True})]
    content = json.dumps({"number": 3, "due": "Fri 20 Nov 2026, 18:00 (UTC)", "recurs": arguments.get("every", "")})
    answer = said(text, Result(content))
    assert answer.startswith("I will remind you on Fri 20 Nov 2026, 18:00 (UTC)")
    assert answer.endswith("This is promise 3.")
    assert ("again and again" in answer) == ("every" in arguments)
    assert said(text, Result("no", failed=True)) == "That did not work: no"


@pytest.mark.parametrize(
    ("text", "what", "when"),
    [
        ("work out 17 * 23 and report back", "work out 17 * 23", "now"),
        ("Valor, can you search the docs for backups and then let me know?", "search the docs for backups", "now"),
        ("in 10 minutes, work out 2 + 2 and report back to me", "work out 2 + 2", "in 10 minutes"),
    ],
)
def test_work_that_is_reported_back(text: str, what: str, when: str) -> None:
    assert uses(text) == [("make_promise", {"what": what, "when": when})]
    assert said(text, Result("{}")) == "I will do that and report back here."
