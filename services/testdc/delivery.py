"""Updates on their way from the world to the clients that listen."""

from collections.abc import Callable, Iterable, Sequence

from telethon.tl import types as t

from services.testdc.api import render
from services.testdc.model import Account, Event, Group, MembershipEvent, SignEvent
from services.testdc.sessions import Session
from services.testdc.world import AnyEvent, World


class PushFaults:
    """What happens to updates between the world and the clients."""

    def __init__(self) -> None:
        self.duplicate = False
        """Every push is sent twice."""
        self._to_drop = 0
        self._drop_chat: int | None = None
        self._held: list[tuple[Session, bytes]] | None = None

    def drop(self, count: int, chat: int | None = None) -> None:
        """Lose the next pushes, of one chat (as the client sees it) or of all: makes pts gaps. 0 ends it."""
        self._to_drop, self._drop_chat = count, chat

    def clear(self) -> None:
        """Nothing is lost or sent twice any more, and what was kept back is sent."""
        self.duplicate = False
        self.drop(0)
        self.release()

    def is_dropped(self, chat: int) -> bool:
        """Whether this push is lost; counts it."""
        if not self._to_drop or self._drop_chat not in (None, chat):
            return False
        self._to_drop -= 1
        return True

    def hold(self) -> None:
        """Keep pushes back from now on."""
        self._held = self._held or []

    def pass_on(self, session: Session, body: bytes) -> None:
        """Send a push, send it twice, or keep it back."""
        for _ in range(1 + self.duplicate):
            if self._held is None:
                session.push(body)
            else:
                self._held.append((session, body))

    def release(self, *, reverse: bool = False) -> None:
        """Send what was kept back, in order or reversed, and keep nothing back any more."""
        held, self._held = self._held or [], None
        for session, body in held[::-1] if reverse else held:
            session.push(body)


class Delivery:
    """Pushes every event to each session of who sees it; what no one hears waits in the boxes."""

    def __init__(self, world: World, sessions: Callable[[], Iterable[Session]]) -> None:
        """`sessions` gives those that are connected."""
        self.faults = PushFaults()
        self._world, self._sessions = world, sessions

    def deliver(self, events: Sequence[AnyEvent], besides: Session | None) -> None:
        """Events that happened together in one box, to all but one session."""
        for account, sessions in self._listeners().items():
            targets = [session for session in sessions if session is not besides]
            if not targets or not self._sees(account, events[0]):
                continue
            if self.faults.is_dropped(_chat_for(account, events[0])):
                continue
            body = bytes(render.push(self._world, self._world.people.account(account), events))
            for session in targets:
                self.faults.pass_on(session, body)

    def _listeners(self) -> dict[int, list[Session]]:
        listeners: dict[int, list[Session]] = {}
        for session in self._sessions():
            if session.wants_updates and session.key.account is not None:
                listeners.setdefault(session.key.account, []).append(session)
        return listeners

    def _sees(self, account: int, event: AnyEvent) -> bool:
        if isinstance(event, Event) and event.box < 0:
            return account in self._world.people.group(event.box).members
        return account == (event.box if isinstance(event, Event) else event.account)

    def push_raw(self, account: Account, body: bytes, *, with_answer: bool = False) -> None:
        """Any bytes as a message of the server, at once or in the same container as the next answer."""
        for session in self._listeners().get(account.id, []):
            if with_answer:
                session.stowaways.append(body)
            else:
                session.push(body)

    def push_too_long(self, account: Account, group: Group | None = None) -> None:
        """Tell the client to ask for the difference: updatesTooLong, or updateChannelTooLong of a supergroup."""
        update = t.UpdatesTooLong()
        if group:
            pts = self._world.boxes.state(group.id).pts
            update = render.updates(self._world, account, [t.UpdateChannelTooLong(group.raw_id, pts)], [])
        self.push_raw(account, bytes(update))


def _chat_for(account: int, event: AnyEvent) -> int:
    """The chat of an event as this account sees it."""
    if isinstance(event, SignEvent):
        return event.actor if event.chat > 0 else event.chat
    return event.group.id if isinstance(event, MembershipEvent) else event.post.chat_for(account)
