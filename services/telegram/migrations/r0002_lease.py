"""Who speaks for the account, where several processes could."""

import sqlalchemy as sa
from alembic import op

revision = "lease"
down_revision = "0001"


def upgrade() -> None:
    """Make the table; it has one row."""
    op.create_table(
        "lease",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False, comment="counts owners"),
        sa.Column("lease_until", sa.Double, nullable=False),
    )
