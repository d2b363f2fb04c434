"""What was said."""

import re

from services.chassis import fulltext, tracing
from services.chassis.writer import Row, Transaction
from services.pipeline.adapters.store import rows
from services.pipeline.adapters.store.table import Table
from services.pipeline.commands import TRACE
from services.pipeline.model import Account, Address, Message, Said
from services.pipeline.outcome import Work


class HistoryTable(Table):
    """`ports.History` on SQL."""

    async def before(self, message: Message, limit: int) -> list[Said]:
        """What was said in the lane before a message, oldest first, answers behind their questions."""
        query = (
            f"SELECT * FROM chat_history WHERE {rows.LANE} AND order_key < :order AND deleted = 0 AND message != ''"
            " ORDER BY order_key DESC, direction DESC, id DESC LIMIT :limit"
        )
        parameters = {
            **rows.lane(message.account, message.address),
            "order": message.order_key + 1 if message.promise_id else message.message_id,
        }
        parameters["limit"] = limit
        found = await self._database.read(lambda tx: tx.all(query, **parameters))
        return [_said(row) for row in reversed(found)]

    async def said(self, account: Account, chat_id: int, message_id: int) -> Said | None:
        """One message, if it is known and not deleted."""
        query = f"SELECT * FROM chat_history WHERE {rows.CHAT} AND message_id = :message AND deleted = 0"
        found = await self._database.read(lambda tx: tx.one(query, **rows.chat(account, chat_id), message=message_id))
        return None if found is None else _said(found)

    async def search(self, account: Account, address: Address, query: str, limit: int) -> list[Said]:
        """What was said in a chat and topic with these words, best first."""
        words = re.findall(r"\w+", query)
        if not words:
            return []
        parameters = {**rows.lane(account, address), "limit": limit}

        def found(tx: Transaction) -> list[Row]:
            return tx.all(_SEARCH[tx.dialect], match=fulltext.any_of(words, tx.dialect), **parameters)

        return [_said(row) for row in await self._database.read(found)]

    async def work_on(self, message: Message) -> Work | None:
        """What was done for what a message replies to, else for the last question before it."""
        about = _REPLIED_TO if message.reply_to else _LAST_ASKED
        parameters = {**rows.lane(message.account, message.address), "command": f"/{TRACE}%"}
        replied, order = message.reply_to, message.order_key
        query = f"{_WORK} WHERE asked.id = ({about})"
        row = await self._database.read(lambda tx: tx.one(query, **parameters, replied=replied, order=order))
        return None if row is None else Work(row["id"], row["accept_time"], tracing.trace_id(row["trace"]))


_SEARCH = {
    "sqlite": "SELECT h.* FROM chat_words w JOIN chat_history h ON h.id = w.rowid"
    f" WHERE chat_words MATCH :match AND {rows.LANE} AND deleted = 0 ORDER BY rank LIMIT :limit",
    "postgresql": "SELECT h.* FROM chat_history h, to_tsquery('simple', :match) AS query"
    f" WHERE words_of(message) @@ query AND {rows.LANE} AND deleted = 0"
    " ORDER BY ts_rank(words_of(message), query, 1) DESC, id LIMIT :limit",
}


_WORK = (
    "SELECT work.id, work.accept_time, work.trace FROM turns asked"
    " JOIN turns work ON work.id = COALESCE(asked.answered_by, asked.id)"
)
_REPLIED_TO = (
    "SELECT COALESCE(p.turn_id, t.id) FROM chat_history h LEFT JOIN parts p ON p.id = h.part_id"
    f" LEFT JOIN turns t ON t.history_id = h.id WHERE {rows.CHAT} AND h.message_id = :replied"
)
_LAST_ASKED = (
    f"SELECT t.id FROM chat_history h JOIN turns t ON t.history_id = h.id WHERE {rows.LANE} AND h.direction = 'in'"
    " AND h.order_key < :order AND h.message NOT LIKE :command ORDER BY h.order_key DESC, h.id DESC LIMIT 1"
)


def _said(row: Row) -> Said:
    speaker = "" if row["direction"] == "out" else row["user_name"] or f"user {row['user_id']}"
    return Said(speaker, row["message"], row["timestamp"])
