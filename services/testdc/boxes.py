"""Update boxes: sequences of message events counted by pts, and of reactions counted by qts.

https://core.telegram.org/api/updates: every event moves pts by one; a client that missed some asks for the difference.
"""

import json
from collections.abc import Callable
from typing import NamedTuple

from services.testdc.model import Event, EventKind, Post, ReactionEvent
from services.testdc.posts import post_from_row
from services.testdc.store import Store

FIRST_PTS = 1


class BoxState(NamedTuple):
    """Numbers of the last event, reaction and message, and when the last event was (seconds since 1970)."""

    pts: int
    qts: int
    last_id: int
    changed: float


class Boxes:
    """All boxes by their id: an account, or a supergroup."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock

    def open(self, box: int) -> None:
        """A new, empty box."""
        self._store.execute("INSERT INTO boxes VALUES (?, ?, 0, 0, 0)", box, FIRST_PTS)

    def state(self, box: int) -> BoxState:
        """Where the box stands; KeyError when there is none."""
        row = self._store.row("SELECT pts, qts, last_id, changed FROM boxes WHERE id = ?", box)
        if row is None:
            raise KeyError(box)
        return BoxState(*row)

    def next_message_id(self, box: int) -> int:
        """A new message id."""
        sql = "UPDATE boxes SET last_id = last_id + 1 WHERE id = ? RETURNING last_id"
        return int(self._store.rows(sql, box)[0][0])

    # -- message events ---------------------------------------------------------------------------------------------
    def log(self, kind: EventKind, post: Post) -> list[Event]:
        """One event in every box that has the post."""
        sql = "UPDATE boxes SET pts = pts + 1, changed = ? WHERE id = ? RETURNING pts"
        events = [
            Event(box, self._store.rows(sql, self._clock(), box)[0][0], kind, post, message_id)
            for box, message_id in post.ids.items()
        ]
        rows = [(event.box, event.pts, kind, post.id, event.message_id) for event in events]
        self._store.execute_many("INSERT INTO log VALUES (?, ?, ?, ?, ?)", rows)
        return events

    def events(self, box: int, after: int, limit: int) -> list[Event]:
        """At most `limit` events after that pts, oldest first, with the posts in their present state."""
        rows = self._store.rows(
            "SELECT l.pts, l.kind, l.message_id, p.* FROM log l JOIN posts p ON p.id = l.post "
            "WHERE l.box = ? AND l.pts > ? ORDER BY l.pts LIMIT ?",
            box,
            after,
            limit,
        )
        return [Event(box, pts, kind, post_from_row(row), mid) for pts, kind, mid, *row in rows]

    # -- reactions --------------------------------------------------------------------------------------------------
    def log_reaction(self, bot: int, post: Post, actor: int, old: list[str], new: list[str]) -> ReactionEvent:
        """One event in a bot's sequence of reactions."""
        (qts,) = self._store.rows("UPDATE boxes SET qts = qts + 1 WHERE id = ? RETURNING qts", bot)[0]
        event = ReactionEvent(bot, qts, post, actor, self._clock(), old, new)
        self._store.execute(
            "INSERT INTO reaction_log VALUES (?, ?, ?, ?, ?, ?, ?)",
            bot,
            qts,
            post.id,
            actor,
            event.date,
            json.dumps(old),
            json.dumps(new),
        )
        return event

    def reactions(self, bot: int, after: int) -> list[ReactionEvent]:
        """All reactions after that qts, oldest first."""
        rows = self._store.rows(
            "SELECT l.qts, l.actor, l.date, l.old, l.new, p.* FROM reaction_log l JOIN posts p ON p.id = l.post "
            "WHERE l.account = ? AND l.qts > ? ORDER BY l.qts",
            bot,
            after,
        )
        return [
            ReactionEvent(bot, qts, post_from_row(row), actor, date, json.loads(old), json.loads(new))
            for qts, actor, date, old, new, *row in rows
        ]
