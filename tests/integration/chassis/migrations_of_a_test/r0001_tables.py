"""Two tables."""

import sqlalchemy as sa
from alembic import op

from services.chassis.migrate import KEY

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    for name in ("notes", "copies"):
        op.create_table(
            name, sa.Column("id", KEY, primary_key=True), sa.Column("text", sa.Text, sa.CheckConstraint("text != ''"))
        )
