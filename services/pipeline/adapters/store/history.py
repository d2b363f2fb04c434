"""What was said."""

import re

from services.chassis import fulltext
from services.chassis.writer import Row, Transaction
from services.pipeline.adapters.store import rows
from services.pipeline.adapters.store.table import Table
from services.pipeline.model import Account, Address, Message, Said


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


_SEARCH = {
    "sqlite": "SELECT h.* FROM chat_words w JOIN chat_history h ON h.id = w.rowid"
    f" WHERE chat_words MATCH :match AND {rows.LANE} AND deleted = 0 ORDER BY rank LIMIT :limit",
    "postgresql": "SELECT h.* FROM chat_history h, to_tsquery('simple', :match) AS query"
    f" WHERE words_of(message) @@ query AND {rows.LANE} AND deleted = 0"
    " ORDER BY ts_rank(words_of(message), query, 1) DESC, id LIMIT :limit",
}


def _said(row: Row) -> Said:
    speaker = "" if row["direction"] == "out" else row["user_name"] or f"user {row['user_id']}"
    return Said(speaker, row["message"], row["timestamp"])
