"""Reads a sum as people write it ("12 plus 30", "15% of 80", "√2", "1,234.5 x 2") as a Python expression."""

import re

WORDS = {
    r"multiplied by|times|[x×·⋅](?=[\s\d(√])": "*",
    r"divided by|over|÷": "/",
    r"plus": "+",
    r"minus|[–−]": "-",
    r"to the power of|raised to(?: the power of)?|\^": "**",
    r"squared|²": "** 2",
    r"cubed|³": "** 3",
    r"modulo|mod": "%",
    r"(?:the )?square root of|sqrt|√": "sqrt",
    r"half of": "0.5 *",
    r"twice|double": "2 *",
}
ORDERS = (
    (r"(?:add|(?:the )?sum of) (\S+) (?:and|to) (\S+)", r"\1 + \2"),
    (r"subtract (\S+) from (\S+)", r"\2 - \1"),
    (r"(?:multiply|(?:the )?product of) (\S+) (?:and|by|with) (\S+)", r"\1 * \2"),
    (r"divide (\S+) by (\S+)", r"\1 / \2"),
)
"""Sums that begin with what to do."""

PERCENT = re.compile(r"(?P<share>\d+(?:\.\d+)?) ?(?:%|percent|per cent) of\b")
THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:0|[1-9]\d*)(?:\.\d+)?|\.\d+)(?![\d.])|(?P<sign>\*\*|[-+*/%()])|(?P<root>sqrt))"
)
OPERATORS = frozenset({"**", "+", "-", "*", "/", "%"})

LONGEST = 200


def expression(text: str) -> str | None:
    """The Python expression of a sum; None where the text is not a sum from its first to its last letter."""
    reader = _Reader(_tokens(_symbols(text.lower().strip())))
    found = reader.sum()
    return found if reader.done and not re.fullmatch(r"[-\d.()]*", found) else None


def number(text: str) -> str:
    """A number as people read it: no noise of binary fractions; anything else as it is."""
    shown = text.strip()
    if re.fullmatch(r"-?\d+\.\d+(?:e[-+]?\d+)?", shown):
        return f"{float(shown):.12g}"
    return shown


def _symbols(text: str) -> str:
    if len(text) > LONGEST:
        return ""
    text = THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    for order, sign in ORDERS:
        text = re.sub(order, sign, text)
    text = PERCENT.sub(r"\g<share> / 100 *", text)
    for words, sign in WORDS.items():
        bounded = rf"(?:(?<![a-z])(?:{words})(?![a-z]))"
        text = re.sub(bounded, f" {sign} ", text)
    return text.strip().removesuffix("=").strip()


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            return []
        tokens.append(found[0].strip())
        at = found.end()
    return tokens


class _Reader:
    """Checks the grammar and writes the sum down with the spaces of Python; empty where it is none."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens

    @property
    def done(self) -> bool:
        return not self._tokens

    def sum(self) -> str:
        written = self._term()
        while written and self._tokens and self._tokens[0] in OPERATORS:
            sign = self._tokens.pop(0)
            term = self._term()
            written = f"{written} {sign} {term}" if term else ""
        return written

    def _term(self) -> str:
        match self._tokens.pop(0) if self._tokens else "":
            case "-":
                term = self._term()
                return term and f"-{term}"
            case "sqrt" if self._tokens[:1] != ["-"]:
                term = self._term()
                return term and f"({term} ** 0.5)"
            case "(":
                inner = self.sum()
                return f"({inner})" if inner and self._tokens and self._tokens.pop(0) == ")" else ""
            case token if token[:1].isdigit() or token[:1] == ".":
                return token
            case _:
                return ""
