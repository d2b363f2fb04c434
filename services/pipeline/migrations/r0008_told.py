"""What a step was told beside its question: whoever goes on from it has to know."""

import sqlalchemy as sa
from alembic import op

revision = "told"
down_revision = "overhead"


def upgrade() -> None:
    """Add the column."""
    told = sa.Column(
        "steer_ids",
        sa.Text,
        nullable=False,
        server_default="",
        comment="what joined before the step, `turn:version` each",
    )
    op.add_column("checkpoints", told)
