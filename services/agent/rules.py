"""What one sentence asks of the offline model: patterns, the tool that knows, and how its result is phrased."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from services.agent.model import Turn
from services.agent.sums import expression, number


@dataclass(frozen=True)
class Say:
    """An answer that needs no tool. `social`: pleasant, and left out beside something that was asked for."""

    text: str
    social: bool = False


@dataclass(frozen=True)
class Use:
    """A tool that knows the answer, and how its result is phrased."""

    tool: str
    arguments: dict[str, Any]
    phrase: Callable[[str], str]


Part = Say | Use
Make = Callable[[re.Match[str], Turn], Part | None]

SELF = "I am Valor's offline model: an AI made of rules, no language model."
WHO = (
    f"{SELF} I calculate, tell the time, search this chat and the documents, and react. "
    "Whoever runs me can set VALOR_MODEL to a real language model."
)
HELP = f"""{SELF} These I understand:

- sums: “what is 17 * 23?”, “15% of 80”, “square root of 2”
- the time: “what time is it in Tokyo?”, “what day is it?”
- this chat: “what did I say about the trip?”, “what was my last message?”
- the documents: “what do the docs say about backups?”, “how do I …?”
- later: “remind me in 5 minutes to stretch”, “every day at 9:00 remind me of the stand-up”
- longer work: “work out 17 * 23 and report back”
- “react with 👍”, “repeat: …”"""

_SMALL_WORDS = """
a about am an and any are at be can could did do does ever for from have how i in is it me my of on or our should that
the there these this to was we were what when where which who why will with would you your
"""
SMALL_WORDS = frozenset(_SMALL_WORDS.split())
EMOJI = {"thumbs up": "👍", "thumbs down": "👎", "heart": "❤", "fire": "🔥", "party": "🎉", "laugh": "😁", "clap": "👏"}
FOUND = 5
"""Messages of the chat that an answer shows."""


class Rules:
    """What to make of a sentence that fits one of the patterns as a whole; tried in order."""

    def __init__(self, *rules: tuple[Make, Sequence[str]]) -> None:
        self._rules = [(re.compile(pattern, re.IGNORECASE), make) for make, patterns in rules for pattern in patterns]

    def part(self, sentence: str, turn: Turn) -> Part | None:
        """What the first rule that fits makes of it; None where none fits."""
        made = (make(match, turn) for pattern, make in self._rules if (match := pattern.fullmatch(sentence)))
        return next((part for part in made if part is not None), None)


def _says(text: str, *, social: bool = False) -> Make:
    return lambda _match, _turn: Say(text, social)


def _sum(match: re.Match[str], _turn: Turn) -> Part | None:
    asked = match["sum"].rstrip(" =")
    code = expression(asked)
    return Use("run_python", {"code": code}, lambda text: f"{asked} = {_value(text)}") if code else None


def _value(text: str) -> str:
    found = re.match(r"Value: (.*)", text)
    return number(found[1] if found else text)


def _time(match: re.Match[str], _turn: Turn) -> Part:
    place = match["place"] or "UTC"
    return Use("current_time", {"timezone": place}, lambda text: f"It is {text.partition(';')[0]}.")


def _history(match: re.Match[str], _turn: Turn) -> Part:
    query = match["query"].strip(" \"'“”")
    phrase = partial(_quotes, who=match.groupdict().get("who") or "", query=query)
    return Use("search_history", {"query": _keywords(query), "limit": FOUND}, phrase)


def _quotes(content: str, *, who: str, query: str) -> str:
    """Messages of the chat as a list; `who` is "I" or "you" where only people's or only our own count."""
    own = {"i": False, "you": True}.get(who.lower())
    found = [said for said in json.loads(content) if own is None or own == (said["speaker"] == "Valor")]
    if not found:
        return f"I found nothing about “{query}” in this chat."
    return "In this chat:\n\n" + "\n".join(f"- {said['speaker']}: {said['text']}" for said in found[:FOUND])


def _own_message(match: re.Match[str], turn: Turn) -> Part:
    theirs = [said.text for said in turn.history if said.speaker == turn.question.speaker]
    if not theirs:
        return Say("This is the first message of yours that I can see here.")
    if (match["which"] or "").lower() == "first":
        return Say(f"The first message of yours that I can see here was: “{theirs[0]}”")
    return Say(f"Your last message was: “{theirs[-1]}”")


def _knowledge(match: re.Match[str], _turn: Turn) -> Part:
    return Use("search_knowledge", {"query": _keywords(match["query"]), "limit": 3}, _passages)


def _passages(text: str) -> str:
    if text.startswith(("Nothing found", "There are no documents")):
        return f"{text} I am the offline model and know nothing beyond them."
    return f"From the documents:\n\n{text}"


def _react(match: re.Match[str], _turn: Turn) -> Part:
    emoji = EMOJI.get(match["emoji"].lower(), match["emoji"])
    return Use("react", {"emoji": emoji}, lambda _text: f"Done: {emoji}")


def _promise(match: re.Match[str], _turn: Turn) -> Part:
    found = match.groupdict()
    times = {name: found[name] for name in ("when", "every") if found.get(name)}
    return Use("make_promise", {"what": match["what"], "reminder": True, **times}, _promised)


def _promised(content: str) -> str:
    promise = json.loads(content)
    again = " and then again and again" if promise["recurs"] else ""
    return f"I will remind you on {promise['due']}{again}. This is promise {promise['number']}."


def _report(match: re.Match[str], _turn: Turn) -> Part:
    told = "I will do that and report back here."
    return Use("make_promise", {"what": match["what"], "when": match["when"] or "now"}, lambda _text: told)


def _keywords(text: str) -> str:
    """The words worth looking for."""
    words = re.findall(r"[\w'’-]+", text)
    return " ".join([word for word in words if word.lower() not in SMALL_WORDS] or words) or text


IS = r"(?:'s|’s| is| was)"
CHAT = r"(?:(?:our|this|the) )?(?:chat history|chat|conversation|history|messages)"
DOCS = r"(?:(?:our|the|your) )?(?:docs?|documents?|documentation|knowledge(?: base)?|handbook|manual|wiki|notes)"
DAY = r"(?:current )?(?:date|day(?: of the week)?|weekday|month|year)"
PLACE = r"(?: (?:in|at|for) (?P<place>[^,?]+))?"
EMOJIS = "|".join([*EMOJI, r"[^\w\s]\S*"])
QUERY = r"(?P<query>.+)"
CLOCK = r"(?:at )?\d{1,2}(?:[:.]\d{2})?(?: ?[ap]m)?"
LATER = (
    rf"(?P<when>in (?:an? |half an |\d+ ?)\w+|at {CLOCK}|(?:tomorrow|today|on \w+) {CLOCK}|(?:on )?\d{{4}}-\S+ {CLOCK})"
)
EACH = rf"every (?P<every>hour|\d+ (?:minutes|hours)|[a-z]+ {CLOCK})"
REPORT = r"(?:then )?(?:report back|tell me the result|let me know)(?: (?:here|to me|when .*))?"

SOCIAL = Rules(
    (
        _says(f"Hello! {SELF} Say “help” to see what I can do.", social=True),
        [
            r"(?:hi|hello|hey|hallo|moin|hola|howdy|greetings)(?:[ ,]+(?:there|valor|all|everyone|again))*",
            r"good (?:morning|afternoon|evening|day)(?:[ ,]+(?:valor|all|everyone))?",
        ],
    ),
    (
        _says("You are welcome.", social=True),
        [
            r"(?:many )?(?:thanks?|thank you|thx|danke|merci)(?: (?:you|so|very|much|a lot|valor|again))*",
            r"(?:thanks|thank you) for [\w ]+",
        ],
    ),
    (_says("See you.", social=True), [r"(?:bye|goodbye|good night|see you)(?: \w+)?"]),
    (_says("All my rules are in order.", social=True), [r"how are you(?: doing)?(?: today)?", rf"what{IS} up"]),
    (_says("Good.", social=True), [r"(?:ok|okay|good|great|nice|cool|perfect|yes|no|wow)(?: \w+)?"]),
)

ASKED = Rules(
    (_says(HELP), [r"/?help(?: me)?", r"what (?:can|do) you (?:do|know|understand)", r"what are you able to do"]),
    (
        _says(WHO),
        [
            rf"(?:who|what) (?:exactly )?are you|introduce yourself|what{IS} your name",
            r"(?:which|what) (?:language )?model (?:are you|is this|do you (?:use|run on))",
            r"(?:are you|is this|am i talking to)(?: \w+)? (?:real|ai|bot|robot|human|person|chatgpt|claude)\b.*",
        ],
    ),
    (_says("pong"), [r"ping"]),
    (
        _promise,
        [
            rf"remind (?:me|us) (?:{LATER}|{EACH}) (?:to|of|about|that) (?P<what>.+)",
            rf"remind (?:me|us) (?:to|of|about|that) (?P<what>.+?) (?:{LATER}|{EACH})",
            rf"(?:{LATER}|{EACH}),? remind (?:me|us) (?:to|of|about|that) (?P<what>.+)",
        ],
    ),
    (_report, [rf"(?:{LATER},? )?(?P<what>.+?),? and {REPORT}"]),
    (_sum, [rf"(?:(?:what{IS}|what are|how much{IS}|calculate|compute|solve|evaluate|work out)[\s:]+)?(?P<sum>.+)"]),
    (
        _time,
        [
            rf"(?:what{IS}? )?(?:the )?(?:current |local |exact )?time(?: is it)?{PLACE}",
            rf"how late is it{PLACE}",
            rf"(?:(?:what{IS}?|which) )?(?:the |today'?s )?{DAY}(?: is it| is today| today)*{PLACE}",
        ],
    ),
    (
        _own_message,
        [
            r"what (?:was|is) my (?P<which>first|last|latest|previous) (?:message|question)(?: here| in this chat)?",
            r"(?:repeat|say) my (?P<which>first|last|latest|previous) (?:message|question)(?: again)?",
            r"what did i (?:just )?(?:say|write|ask)(?: you)?(?: (?P<which>first|last|before|just now))?",
        ],
    ),
    (
        _history,
        [
            rf"(?:what|when|where) did (?P<who>[\w ]+?) (?:say|write|ask|talk|tell (?:me|you|us)) (?:about|on) {QUERY}",
            rf"(?:what|when|where) did (?P<who>[\w ]+?) (?:mention|discuss|say) {QUERY}",
            rf"did (?P<who>\w+) (?:ever |already )?(?:mention|talk about|discuss|say anything about) {QUERY}",
            rf"who (?:said|mentioned|wrote|talked about|asked about) {QUERY}",
            rf"(?:search|look through|look in|scan) (?:in )?{CHAT} (?:for|about) {QUERY}",
            rf"(?:search for|search|look for|find) {QUERY} in {CHAT}",
        ],
    ),
    (
        _knowledge,
        [
            rf"what (?:do|does) {DOCS} (?:say|know|tell us) (?:about|on) {QUERY}",
            rf"(?:search|look in|look through|check|ask) {DOCS} (?:for|about) {QUERY}",
            rf"according to {DOCS},? {QUERY}",
            rf"(?:look up|search for|find) {QUERY}",
        ],
    ),
    (
        _react,
        [
            rf"react(?: to (?:this|that|it|me|my message))? with (?:an? )?(?P<emoji>{EMOJIS})(?: emoji)?",
            rf"give (?:me|this|it|that|my message) an? (?P<emoji>{EMOJIS})",
        ],
    ),
)
"""What it understands for sure."""

LOOKED_UP = Rules(
    (
        _knowledge,
        [
            rf"(?:how|why|where|when|who|which|what)(?:'s|’s)? {QUERY}",
            rf"(?:explain|define|describe|tell me about|more about) {QUERY}",
        ],
    ),
)
"""What the documents may know; tried last."""
