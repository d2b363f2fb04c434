"""The ledger of calls, and documents with full text."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

from services.chassis.fulltext import WORDS_OF
from services.chassis.migrate import KEY

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "calls",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("turn_id", sa.Text, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("call_index", sa.Integer, nullable=False),
        sa.Column("tool", sa.Text, nullable=False),
        sa.Column("args_hash", sa.Text, nullable=False),
        sa.Column("side_effects", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, sa.CheckConstraint("state IN ('started', 'ended', 'unknown')"), nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("start_time", sa.Double, nullable=False),
        sa.Column("end_time", sa.Double),
        sa.UniqueConstraint("turn_id", "step", "call_index"),
    )
    op.create_table(
        "documents",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        _sections()
    else:
        op.execute(
            "CREATE VIRTUAL TABLE sections"
            " USING fts5(document UNINDEXED, heading, body, tokenize = 'unicode61 remove_diacritics 2')"
        )


def _sections() -> None:
    op.execute(WORDS_OF)
    op.create_table(
        "sections",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("document", sa.Text, nullable=False, index=True),
        sa.Column("heading", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column(
            "words",
            TSVECTOR,
            sa.Computed("setweight(words_of(heading), 'A') || setweight(words_of(body), 'B')", persisted=True),
        ),
    )
    op.create_index("sections_words", "sections", ["words"], postgresql_using="gin")
