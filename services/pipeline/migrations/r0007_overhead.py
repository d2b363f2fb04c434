"""How much of the time to an answer was the house's own: what is promised of it is measured at the receipt."""

import sqlalchemy as sa
from alembic import op

revision = "overhead"
down_revision = "lanes"


def upgrade() -> None:
    """Add the column."""
    op.add_column("turns", sa.Column("overhead", sa.Double, comment="seconds until the answer was written"))
