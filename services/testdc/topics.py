"""Topics of forums, and of private chats with bots (https://core.telegram.org/api/forum).

A topic goes by the service message that began it. What is said outside of topics is in a forum's General, which goes by
1 and is never named in a request.
"""

from services.testdc.model import Account, Group, Peer, Post, RpcFail, bad
from services.testdc.people import People
from services.testdc.posts import Posts
from services.testdc.store import Store

GENERAL = 1
LONGEST_TITLE = 128


class Topics:
    """Which topics there are, and who may write in them."""

    def __init__(self, store: Store, posts: Posts, people: People) -> None:
        self._store, self._posts, self._people = store, posts, people

    def of(self, post: Post | None) -> Post | None:
        """The first message of the topic that a message is in; None outside of topics and in General."""
        return self._posts.get(post.topic) if post and post.topic else None

    def message_id(self, post: Post, viewer: int) -> int:
        """The id of the topic that a message is in, as an account sees it; 0 outside of topics and in General."""
        topic = self.of(post)
        return topic.message_id(viewer) if topic else 0

    def check(self, who: Account, chat: Peer, topic: Post | None) -> None:
        """TOPIC_DELETED, or TOPIC_CLOSED for who is no admin, when a message may not go there."""
        if topic is None:
            return
        if topic.deleted:
            raise bad("TOPIC_DELETED")
        if self.is_closed(topic) and not (isinstance(chat, Group) and who.id in chat.admins):
            raise bad("TOPIC_CLOSED")

    def check_title(self, who: Account, chat: Peer, title: str) -> None:
        """CHANNEL_FORUM_MISSING where there are no topics, TOPIC_TITLE_EMPTY for a title outside 1–128."""
        sides = [chat] if isinstance(chat, Group) else [who, chat]
        if not any(side.forum for side in sides):
            raise bad("CHANNEL_FORUM_MISSING")
        if not 1 <= len(title) <= LONGEST_TITLE:
            raise bad("TOPIC_TITLE_EMPTY")

    def close(self, who: Account, topic: Post, *, closed: bool) -> None:
        """Close or open it; in a group only its maker and admins may."""
        if topic.chat < 0 and who.id not in {topic.sender, *self._people.group(topic.chat).admins}:
            raise RpcFail(403, "CHAT_ADMIN_REQUIRED")
        self._store.execute("DELETE FROM closed_topics WHERE topic = ?", topic.id)
        if closed:
            self._store.execute("INSERT INTO closed_topics VALUES (?)", topic.id)

    def is_closed(self, topic: Post) -> bool:
        """Whether only admins may write in it."""
        return self._store.row("SELECT 1 FROM closed_topics WHERE topic = ?", topic.id) is not None
