"""What people and bots show of themselves while they write: typing, drafts, and the end of a draft."""

from collections.abc import Callable

from services.testdc.model import Account, Draft, Group, Peer, Post, SignEvent, bad
from services.testdc.people import People
from services.testdc.posts import place
from services.testdc.presence import Presence
from services.testdc.record import Record


class Signs:
    """Shown to people who look, recorded, and kept for seconds only."""

    def __init__(self, presence: Presence, record: Record, people: People, tell: Callable[[SignEvent], None]) -> None:
        self._presence, self._record, self._people, self._tell = presence, record, people, tell

    def type(self, who: Account, chat: Peer, topic: Post | None = None) -> None:
        """Show that one is typing."""
        self._presence.typing(_place(who, chat, topic), who.id)
        self._record.add(kind="typing", account=who.id, chat=chat.id, topic=_id(topic))
        self._show(who, chat, topic)

    def draft(self, who: Account, person: Account, draft: Draft, topic: Post | None = None) -> None:
        """Show a text that is still being written; the next message to the person there removes it."""
        self._presence.draft(_place(who, person, topic), who.id, draft)
        what = {"text": draft.text, "entities": list(draft.entities), "random_id": draft.id}
        self._record.add(kind="draft", account=who.id, chat=person.id, topic=_id(topic), **what)
        self._show(who, person, topic, draft)

    def cancel(self, who: Account, chat: Peer, topic: Post | None = None) -> None:
        """Show nothing any more."""
        self._presence.clear(_place(who, chat, topic), who.id)

    def stop(self, person: Account, bot: Account, draft_id: int, topic: Post | None = None) -> None:
        """A person stops what a bot streams; the bot is told, and has to end its work itself.

        TEXTDRAFT_NOT_FOUND when the bot shows no such draft, or none that may be stopped.
        """
        where = _place(person, bot, topic)
        draft = self._presence.drafts(where).get(bot.id)
        if draft is None or draft.id != draft_id or not draft.can_stop:
            raise bad("TEXTDRAFT_NOT_FOUND")
        if not draft.keep_on_stop:
            self._presence.clear(where, bot.id)
        self._record.add(kind="stop", account=person.id, chat=bot.id, topic=_id(topic), random_id=draft_id)
        self._tell(SignEvent(bot.id, person.id, bot.id, topic, draft, stops=True))

    def press_stop(self, person: Account, bot: Account, topic: Post | None = None) -> None:
        """A person presses the stop button of the draft that a bot shows; refused as by `stop`."""
        draft = self._presence.drafts(_place(person, bot, topic)).get(bot.id)
        self.stop(person, bot, draft.id if draft else 0, topic)

    def _show(self, who: Account, chat: Peer, topic: Post | None, draft: Draft | None = None) -> None:
        watchers = sorted(chat.members - {who.id}) if isinstance(chat, Group) else [chat.id]
        for account in watchers:
            if not self._people.account(account).bot:
                self._tell(SignEvent(account, who.id, chat.id, topic, draft))


def _place(who: Account, chat: Peer, topic: Post | None) -> str:
    return place(who.id, chat.id, _id(topic))


def _id(topic: Post | None) -> int | None:
    return topic.id if topic else None
