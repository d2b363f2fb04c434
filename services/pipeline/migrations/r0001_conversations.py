"""Messages, turns, checkpoints, parts, rates, dead letters."""

import sqlalchemy as sa
from alembic import op

from services.chassis.fulltext import WORDS_OF
from services.chassis.migrate import KEY

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    _chat_history()
    _turns()
    _parts()
    op.create_table(
        "rate",
        sa.Column("person_id", sa.Text, primary_key=True),
        sa.Column("arrival", sa.Double, nullable=False, comment="theoretical arrival time of the next message"),
        sa.Column("notice_time", sa.Double, nullable=False),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("turn_id", KEY, sa.ForeignKey("turns.id"), nullable=False, index=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("create_time", sa.Double, nullable=False),
    )


def _chat_history() -> None:
    op.create_table(
        "chat_history",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        sa.Column("account_name", sa.Text, nullable=False),
        sa.Column("chat_id", sa.BigInteger, nullable=False),
        sa.Column("topic_id", sa.BigInteger, nullable=False),
        sa.Column("chat_type", sa.Text, nullable=False),
        sa.Column("chat_title", sa.Text, nullable=False),
        sa.Column("message_id", sa.BigInteger, comment="null: written, and not received yet"),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("order_key", sa.BigInteger, nullable=False, comment="the message's id, or that of the one answered"),
        sa.Column("direction", sa.Text, sa.CheckConstraint("direction IN ('in', 'out')"), nullable=False),
        sa.Column("disposition", sa.Text, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("user_name", sa.Text, nullable=False),
        sa.Column("username", sa.Text, nullable=False, server_default="", comment="people may be let in by it"),
        sa.Column("message_type", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("entities", sa.Text, nullable=False),
        sa.Column("reply_to", sa.BigInteger, nullable=False),
        sa.Column("timestamp", sa.Double, nullable=False),
        sa.Column("deleted", sa.Integer, nullable=False, server_default="0"),
        sa.Column("part_id", KEY, unique=True, comment="the part that an own message was sent as"),
        # The chat last: deletions in private chats and basic groups name the message alone.
        sa.UniqueConstraint("channel", "account_id", "message_id", "chat_id"),
    )
    op.create_index(
        "chat_history_lane", "chat_history", ["channel", "account_id", "chat_id", "topic_id", "order_key", "direction"]
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(WORDS_OF)
        op.create_index("chat_words", "chat_history", [sa.text("words_of(message)")], postgresql_using="gin")
    else:
        _chat_words()


def _chat_words() -> None:
    op.execute("CREATE VIRTUAL TABLE chat_words USING fts5(message, content='chat_history', content_rowid='id')")
    for name, event, old, new in (
        ("insert", "INSERT", False, True),
        ("delete", "DELETE", True, False),
        ("update", "UPDATE OF message", True, True),
    ):
        forget = "INSERT INTO chat_words (chat_words, rowid, message) VALUES ('delete', old.id, old.message);"
        learn = "INSERT INTO chat_words (rowid, message) VALUES (new.id, new.message);"
        body = f"{forget if old else ''} {learn if new else ''}"
        op.execute(f"CREATE TRIGGER chat_words_{name} AFTER {event} ON chat_history BEGIN {body} END")


def _turns() -> None:
    states = "('waiting', 'running', 'answering', 'done', 'failed', 'cancelled')"
    op.create_table(
        "turns",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("history_id", KEY, sa.ForeignKey("chat_history.id"), nullable=False, unique=True),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("order_key", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, sa.CheckConstraint(f"state IN {states}"), nullable=False),
        sa.Column("fence", sa.Integer, nullable=False, server_default="0", comment="counts claims"),
        sa.Column("edition", sa.Integer, nullable=False, server_default="0", comment="counts edits and replays"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0", comment="counts failures of the model"),
        sa.Column("not_before", sa.Double, nullable=False, server_default="0"),
        sa.Column("person_id", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("usage", sa.Text, nullable=False, server_default="{}"),
        sa.Column("trace", sa.Text, nullable=False, server_default=""),
        sa.Column("accept_time", sa.Double, nullable=False),
        sa.Column("start_time", sa.Double),
        sa.Column("answer_time", sa.Double),
        sa.Column("end_time", sa.Double),
        sqlite_autoincrement=True,  # the number of a turn that was forgotten is not given again
    )
    running, waiting = sa.text("state = 'running'"), sa.text("state = 'waiting'")
    op.create_index("turns_one_a_lane", "turns", ["lane"], unique=True, sqlite_where=running, postgresql_where=running)
    op.create_index("turns_waiting", "turns", ["lane", "order_key"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_table(
        "checkpoints",
        sa.Column("turn_id", KEY, sa.ForeignKey("turns.id"), primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("usage", sa.Text, nullable=False),
    )


def _parts() -> None:
    kinds = "('text', 'notice', 'preview', 'reaction')"
    op.create_table(
        "parts",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("turn_id", KEY, sa.ForeignKey("turns.id"), nullable=False, index=True),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, sa.CheckConstraint(f"kind IN {kinds}"), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("entities", sa.Text, nullable=False, server_default="[]"),
        sa.Column("random_id", sa.BigInteger, nullable=False, unique=True),
        sa.Column("reply_to", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("target_part", KEY, sa.ForeignKey("parts.id"), comment="the preview that this part replaces"),
        sa.Column("target", sa.BigInteger, nullable=False, server_default="0", comment="the message to react to"),
        sa.Column("by_agent", sa.Integer, nullable=False, server_default="0"),
        sa.Column("trace", sa.Text, nullable=False, server_default=""),
        sa.Column("receipt_id", sa.BigInteger, comment="the id that the message has in its chat"),
        sa.Column("error", sa.Text, comment="why it can never be delivered"),
        sa.Column("create_time", sa.Double, nullable=False),
        sa.Column("end_time", sa.Double),
        sqlite_autoincrement=True,  # nor that of a reaction that was replaced: a channel may still be sending it
    )
    due = sa.text("receipt_id IS NULL AND error IS NULL")
    op.create_index("parts_due", "parts", ["lane", "id"], sqlite_where=due, postgresql_where=due)
