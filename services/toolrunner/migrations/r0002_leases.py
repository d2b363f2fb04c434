"""Who runs a call, and until when that is sure: several processes share the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("calls", sa.Column("owner", sa.Text, nullable=False, server_default=""))
    op.add_column("calls", sa.Column("lease_until", sa.Double, nullable=False, server_default="0"))
