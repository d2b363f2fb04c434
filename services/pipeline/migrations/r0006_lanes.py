"""Which turn of a lane came before another: from when on a turn could begin depends on it."""

from alembic import op

revision = "lanes"
down_revision = "budgets"


def upgrade() -> None:
    """Add the index."""
    op.create_index("turns_lane", "turns", ["lane", "id"])
