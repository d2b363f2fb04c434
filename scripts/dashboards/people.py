"""Who comes, and who is let in."""

from common import calls, database, process
from grafana import Dashboard, Panel, Row, rate

WHO = Row(
    "Who comes",
    [
        Panel(
            "Identities asked for",
            "By role. The pipeline remembers members for a minute, so this is far less than messages; many guests"
            " are strangers who write.",
            [rate("people_resolved_identities_total", "role")],
            "cps",
            stacked=True,
            width=12,
        ),
        Panel(
            "Pairing codes",
            "given: to a stranger. asked_again: the one that they have still holds. approved: they are let in."
            " refused: a code that is not valid; many of them are somebody who guesses.",
            [rate("people_pairings_total", "outcome")],
            "cps",
            width=12,
        ),
    ],
)

DASHBOARD = Dashboard(
    "people",
    "Valor / people",
    "Who comes, and who is let in.",
    [WHO, calls("people"), database("people"), process("people")],
    service="people",
)
