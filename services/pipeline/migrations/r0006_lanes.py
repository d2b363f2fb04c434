"""Which turn of a lane came before another: from when on a turn could begin depends on it."""

import sqlalchemy as sa
from alembic import op

revision = "lanes"
down_revision = "budgets"


def upgrade() -> None:
    """Add the index; without what waits, so that nothing looks there for it."""
    begun = sa.text("state <> 'waiting'")
    op.create_index("turns_begun", "turns", ["lane", "id"], sqlite_where=begun, postgresql_where=begun)
