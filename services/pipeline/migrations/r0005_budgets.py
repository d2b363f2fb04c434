"""Budgets, who was served when, dead letters of parts and updates."""

import sqlalchemy as sa
from alembic import op

from services.chassis.migrate import KEY

revision = "budgets"
down_revision = "promises"


def upgrade() -> None:
    """Add to what there is."""
    _budgets()
    _pressure()
    _dead_letters()


def _budgets() -> None:
    op.create_table(
        "budgets",
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("day", sa.Text, primary_key=True, comment="UTC, 2026-01-31"),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False, comment="millionths of a US dollar"),
    )
    op.create_table(
        "reservations",
        sa.Column("turn_id", KEY, sa.ForeignKey("turns.id"), primary_key=True, autoincrement=False),
        sa.Column("person_id", sa.Text, nullable=False, index=True),
        sa.Column("chat", sa.Text, nullable=False, index=True),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
    )
    op.add_column("turns", sa.Column("cost", sa.BigInteger, nullable=False, server_default="0"))


def _pressure() -> None:
    op.create_table(
        "served",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("account_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("chat_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("time", sa.Double, nullable=False, comment="when a turn of the chat last began"),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index("turns_waiting_person", "turns", ["person_id"], sqlite_where=waiting, postgresql_where=waiting)


def _dead_letters() -> None:
    # An update has no turn; and the number of a letter that was dealt with is not given again.
    with op.batch_alter_table("dead_letters", recreate="auto", table_kwargs={"sqlite_autoincrement": True}) as letters:
        letters.alter_column("turn_id", existing_type=KEY, nullable=True)
        letters.add_column(sa.Column("kind", sa.Text, nullable=False, server_default="turn"))
        letters.add_column(sa.Column("channel", sa.Text, nullable=False, server_default=""))
        letters.add_column(sa.Column("account_id", sa.BigInteger, nullable=False, server_default="0"))
        letters.add_column(sa.Column("digest", sa.Text, comment="names an update"))
        letters.add_column(sa.Column("content", sa.Text, nullable=False, server_default=""))
        letters.add_column(sa.Column("submission", sa.LargeBinary, comment="an update that could be read"))
    op.create_index("dead_letters_digest", "dead_letters", ["digest"], unique=True)
    op.create_table(
        "ended_letters",
        sa.Column("letter_id", KEY, primary_key=True, autoincrement=False),
        sa.Column("turn_id", KEY, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, unique=True),
        sa.Column("outcome", sa.Text, sa.CheckConstraint("outcome IN ('replayed', 'dropped')"), nullable=False),
        sa.Column("end_time", sa.Double, nullable=False),
    )
