"""Dead letters are reported to the pipeline."""

import sqlalchemy as sa
from alembic import op

revision = "reported"
down_revision = "lease"


def upgrade() -> None:
    """Add to what there is."""
    op.add_column("dead_letters", sa.Column("reported", sa.Integer, nullable=False, server_default="0"))
    op.add_column("dead_letters", sa.Column("readable", sa.Integer, nullable=False, server_default="0"))
