"""What runs, and what is old: both are found without reading all that ever ended."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the indexes; what acted is never forgotten, so it need not be found by its age."""
    started, pure = sa.text("state = 'started'"), sa.text("side_effects = 0")
    op.create_index("calls_started", "calls", ["lease_until"], sqlite_where=started, postgresql_where=started)
    op.create_index("calls_old", "calls", ["start_time"], sqlite_where=pure, postgresql_where=pure)
