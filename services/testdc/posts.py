"""Messages: their present state, the id each has in each box, and the random ids they were sent with."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from services.testdc.model import Post, bad, box_of, int_keys
from services.testdc.store import Store


def post_from_row(row: Sequence[Any]) -> Post:
    """The post of a row of the table."""
    (
        post_id,
        sender,
        chat,
        text,
        entities,
        media,
        reply_to,
        date,
        edit_date,
        deleted,
        random_id,
        ids,
        reactions,
        _,
        topic,
    ) = row
    return Post(
        id=post_id,
        sender=sender,
        chat=chat,
        text=text,
        entities=json.loads(entities),
        media=media,
        reply_to=reply_to,
        date=date,
        edit_date=edit_date,
        deleted=bool(deleted),
        random_id=random_id,
        ids=int_keys(json.loads(ids)),
        reactions=int_keys(json.loads(reactions)),
        topic=topic,
    )


def place(sender: int, chat: int, topic: int | None) -> str:
    """One name for a chat and a topic in it."""
    return f"{dialog(sender, chat)}#{topic or 0}"


def dialog(sender: int, chat: int) -> str:
    """One name for a chat, whoever speaks in it."""
    return str(chat) if chat < 0 else f"{min(sender, chat)}:{max(sender, chat)}"


class Posts:
    """All posts by their id, which is the same for everybody."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, post: Post) -> Post:
        """Keep a new post; it gets its id, and its message ids become known."""
        post_id = self._store.insert(
            "INSERT INTO posts VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, NULL, 0, ?, ?, '{}', ?, ?)",
            post.sender,
            post.chat,
            post.text,
            json.dumps(post.entities),
            post.media,
            post.reply_to,
            post.date,
            post.random_id,
            json.dumps(post.ids),
            dialog(post.sender, post.chat),
            post.topic,
        )
        copies = [(box, message_id, post_id) for box, message_id in post.ids.items()]
        self._store.execute_many("INSERT INTO copies VALUES (?, ?, ?)", copies)
        return replace(post, id=post_id)

    def begin_topic(self, post: Post) -> Post:
        """The post becomes the first of a topic of its own."""
        self._store.execute("UPDATE posts SET topic = id WHERE id = ?", post.id)
        return replace(post, topic=post.id)

    def topics(self, viewer: int, chat: int) -> list[Post]:
        """The first posts of a chat's topics, oldest first."""
        sql = "SELECT * FROM posts WHERE dialog = ? AND topic = id AND NOT deleted ORDER BY id"
        return [post_from_row(row) for row in self._store.rows(sql, dialog(viewer, chat))]

    def in_topic(self, topic: int) -> list[Post]:
        """All posts of a topic that are not deleted, oldest first."""
        rows = self._store.rows("SELECT * FROM posts WHERE topic = ? AND NOT deleted ORDER BY id", topic)
        return [post_from_row(row) for row in rows]

    def get(self, post_id: int) -> Post:
        """The present state; MESSAGE_ID_INVALID when there never was such a post."""
        row = self._store.row("SELECT * FROM posts WHERE id = ?", post_id)
        if row is None:
            raise bad("MESSAGE_ID_INVALID")
        return post_from_row(row)

    def at(self, box: int, message_id: int) -> Post | None:
        """The post with this message id in a box, deleted or not."""
        sql = "SELECT p.* FROM copies c JOIN posts p ON p.id = c.post WHERE c.box = ? AND c.message_id = ?"
        row = self._store.row(sql, box, message_id)
        return post_from_row(row) if row else None

    def edit(self, post: Post, **changes: Any) -> Post:
        """Change text, entities and edit_date."""
        post = replace(post, **changes)
        sql = "UPDATE posts SET text = ?, entities = ?, edit_date = ? WHERE id = ?"
        self._store.execute(sql, post.text, json.dumps(post.entities), post.edit_date, post.id)
        return post

    def delete(self, post: Post) -> Post:
        """Mark as deleted; its text stays known to the record."""
        self._store.execute("UPDATE posts SET deleted = 1 WHERE id = ?", post.id)
        return replace(post, deleted=True)

    def react(self, post: Post, account: int, emoji: list[str]) -> Post:
        """Set the reaction of one account; an empty list takes it away."""
        reactions = {who: what for who, what in post.reactions.items() if who != account}
        if emoji:
            reactions[account] = emoji
        self._store.execute("UPDATE posts SET reactions = ? WHERE id = ?", json.dumps(reactions), post.id)
        return replace(post, reactions=reactions)

    def visible(self, viewer: int, chat: int, limit: int) -> list[Post]:
        """The last posts of a chat that this account sees, oldest first."""
        rows = self._store.rows(
            "SELECT * FROM posts WHERE dialog = ? AND NOT deleted ORDER BY id DESC LIMIT ?",
            dialog(viewer, chat),
            limit,
        )
        posts = [post_from_row(row) for row in reversed(rows)]
        return [post for post in posts if box_of(chat, viewer) in post.ids]

    # -- random ids -------------------------------------------------------------------------------------------------
    def sent_with(self, account: int, chat: int, random_id: int) -> Post | None:
        """The post that this account made in this chat with this random id; they never expire."""
        sql = "SELECT post FROM random_ids WHERE account = ? AND chat = ? AND random_id = ?"
        row = self._store.row(sql, account, chat, random_id)
        return self.get(row[0]) if row else None

    def remember(self, post: Post) -> None:
        """Keep the random id of a bot's post."""
        sql = "INSERT OR REPLACE INTO random_ids VALUES (?, ?, ?, ?)"
        self._store.execute(sql, post.sender, post.chat, post.random_id, post.id)
