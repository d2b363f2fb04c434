"""Who runs a turn, and until when that is sure: several processes share the queue."""

import sqlalchemy as sa
from alembic import op

revision = "leases"
down_revision = "steering"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("turns", sa.Column("owner", sa.Text, nullable=False, server_default=""))
    op.add_column("turns", sa.Column("lease_until", sa.Double, nullable=False, server_default="0"))
