"""Persons, their identities, and pairings."""

import sqlalchemy as sa
from alembic import op

from services.chassis.migrate import KEY

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "persons",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("role", sa.Text, sa.CheckConstraint("role IN ('guest', 'member', 'owner')"), nullable=False),
    )
    op.create_table(
        "identities",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("user_id", sa.BigInteger, primary_key=True),
        sa.Column("person_id", KEY, sa.ForeignKey("persons.id"), nullable=False, index=True),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
    )
    op.create_table(
        "pairings",
        sa.Column("code_hash", sa.Text, primary_key=True),
        sa.Column("person_id", KEY, sa.ForeignKey("persons.id"), nullable=False, index=True),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("expire_time", sa.Double, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
    )
    op.create_table(
        "secret",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
