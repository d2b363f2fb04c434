"""Promises, what they wait for, their runs, and the calendars of people."""

import sqlalchemy as sa
from alembic import op

from services.chassis.migrate import KEY

revision = "promises"
down_revision = "leases"


def upgrade() -> None:
    """Make the tables of promises, and tell the turns that carry them out from those that answer a message."""
    op.add_column("chat_history", sa.Column("promise_id", KEY, comment="the promise that is due; nobody wrote this"))
    op.create_table(
        "calendars",
        sa.Column("person_id", sa.Text, primary_key=True),
        sa.Column("zone", sa.Text, nullable=False, server_default="", comment="IANA name; empty: not said yet"),
        sa.Column("promises", sa.BigInteger, nullable=False, server_default="0", comment="the last number given"),
    )
    _promises()
    op.create_table(
        "promise_parents",
        sa.Column("promise_id", KEY, sa.ForeignKey("promises.id"), primary_key=True),
        sa.Column("parent_id", KEY, sa.ForeignKey("promises.id"), primary_key=True),
    )
    op.create_table(
        "promise_runs",
        sa.Column("promise_id", KEY, sa.ForeignKey("promises.id"), primary_key=True),
        sa.Column("due_time", sa.Double, primary_key=True, comment="a due time runs once, whatever dies"),
        sa.Column("turn_id", KEY, sa.ForeignKey("turns.id"), nullable=False, unique=True),
        sa.Column("broken", sa.BigInteger, nullable=False, comment="the number of a parent that was not kept, or 0"),
    )


def _promises() -> None:
    states = "('waiting', 'running', 'kept', 'failed', 'cancelled')"
    op.create_table(
        "promises",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("person_id", sa.Text, sa.ForeignKey("calendars.person_id"), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False, comment="what the person calls it"),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("turn_id", KEY, sa.ForeignKey("turns.id"), nullable=False, index=True, comment="that made it"),
        sa.Column("call", sa.Text, nullable=False, unique=True, comment="turn:step:index"),
        sa.Column("type", sa.Text, sa.CheckConstraint("type IN ('reminder', 'task')"), nullable=False),
        sa.Column("payload", sa.Text, nullable=False, comment="what is promised"),
        sa.Column("cron", sa.Text, nullable=False, comment="empty: once"),
        sa.Column("due_time", sa.Double, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, sa.CheckConstraint(f"state IN {states}"), nullable=False),
        sa.Column("create_time", sa.Double, nullable=False),
        sa.Column("end_time", sa.Double),
        sa.UniqueConstraint("person_id", "number"),
    )
    waiting, running = sa.text("state = 'waiting'"), sa.text("state = 'running'")
    op.create_index("promises_due", "promises", ["due_time"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_index("promises_running", "promises", ["lane"], sqlite_where=running, postgresql_where=running)
