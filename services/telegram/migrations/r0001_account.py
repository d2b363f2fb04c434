"""Session, cursor, peers, sent random ids, flood waits, dead letters."""

import sqlalchemy as sa
from alembic import op

from services.chassis.migrate import KEY

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "session",
        sa.Column("dc_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("auth_key", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "cursor",
        sa.Column("box", sa.BigInteger, primary_key=True, autoincrement=False, comment="0: the account's own"),
        sa.Column("pts", sa.BigInteger, nullable=False),
        sa.Column("qts", sa.BigInteger, nullable=False),
        sa.Column("date", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "peers",
        sa.Column("chat_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("access_hash", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sent",
        sa.Column("random_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("message_id", sa.BigInteger, nullable=False),
        sa.Column("create_time", sa.Double, nullable=False, index=True),
    )
    op.create_table(
        "waits",
        sa.Column("method", sa.Text, primary_key=True),
        sa.Column("chat_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("until", sa.Double, nullable=False),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("message", sa.Text, nullable=False, unique=True, comment="the whole message, JSON"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("create_time", sa.Double, nullable=False),
    )
