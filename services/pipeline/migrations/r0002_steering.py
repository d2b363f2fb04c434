"""Messages that join a running turn, and questions that change after a tool has acted."""

import sqlalchemy as sa
from alembic import op

from services.chassis.migrate import KEY

revision = "steering"
down_revision = "0001"


def upgrade() -> None:
    """Add what a turn has to know, and the settings of chats."""
    op.add_column("turns", sa.Column("answered_by", KEY, comment="the turn whose answer covers this one"))
    acted = sa.Column(
        "acted", sa.Integer, nullable=False, server_default="0", comment="a tool may have changed something"
    )
    op.add_column("turns", acted)
    joined = sa.text("answered_by IS NOT NULL")
    op.create_index("turns_joined", "turns", ["answered_by"], sqlite_where=joined, postgresql_where=joined)
    op.create_table(
        "chats",
        sa.Column("chat", sa.Text, primary_key=True, comment="channel:account:chat"),
        sa.Column("steering", sa.Integer, nullable=False, server_default="0"),
    )
