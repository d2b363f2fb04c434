"""Writes the dashboards of the chart from their descriptions in this folder; --check: fails where they differ.

python scripts/dashboards [--check]
"""

import json
import sys
from pathlib import Path

import agent
import monitor
import overview
import people
import pipeline
import telegram
import toolrunner

FOLDER = Path(__file__).parents[2] / "charts" / "valor" / "files" / "dashboards"
DASHBOARDS = [page.DASHBOARD for page in (overview, telegram, pipeline, agent, toolrunner, people, monitor)]


def main() -> None:
    """Write them, or compare."""
    texts = {f"{page.name}.json": json.dumps(page.json(), indent=1, ensure_ascii=False) + "\n" for page in DASHBOARDS}
    found = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    if "--check" in sys.argv:
        stale = sorted(name for name in texts.keys() | found.keys() if texts.get(name) != found.get(name))
        if stale:
            sys.exit(f"Run `make dashboards`; not what scripts/dashboards says: {', '.join(stale)}")
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in found.keys() - texts.keys():
        (FOLDER / name).unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
