"""Writes the table of values into the chart's README, from the comments in values.yaml; with --check only compares.

A comment `# -- …` explains the key below it.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

CHART = Path(__file__).parents[1] / "charts" / "valor"
KEY = re.compile(r"^( *)([A-Za-z]+):(?: (.*))?$")
BEGIN, END = "<!-- values: written by scripts/chart_values.py -->\n", "<!-- end of values -->\n"


def rows(text: str) -> Iterator[tuple[str, str, str]]:
    """Path, default and explanation of every explained value."""
    path: list[str] = []
    said = ""
    for line in text.splitlines():
        if match := KEY.match(line):
            depth = len(match[1]) // 2
            path = [*path[:depth], match[2]]
            if said:
                yield ".".join(path), match[3] or "", said
            said = ""
        elif line.strip().startswith("# -- "):
            said = line.strip().removeprefix("# -- ")


def table(text: str) -> str:
    """The rows as Markdown; a group's explanation stands in bold."""
    lines = ["| value | default | what it is |", "|---|---|---|"]
    for path, default, said in rows(text):
        shown = f"`{default}`" if default else ""
        lines.append(f"| `{path}` | {shown} | {said if default or '.' in path else f'**{said}**'} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the table, or exit with 1 where it is not what values.yaml says."""
    readme = CHART / "README.md"
    text = readme.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    wanted = head + BEGIN + table((CHART / "values.yaml").read_text()) + END + tail
    if "--check" not in sys.argv:
        readme.write_text(wanted)
    elif text != wanted:
        sys.exit("charts/valor/README.md is not what values.yaml says: run scripts/chart_values.py")


if __name__ == "__main__":
    main()
