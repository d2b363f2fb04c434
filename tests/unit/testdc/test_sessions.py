import os
from typing import Any

from services.testdc.sessions import MAX_SESSIONS, MAX_UNACKNOWLEDGED, AuthKey


class Connection:
    """As much of a connection as a session needs."""

    def __init__(self, number: int) -> None:
        self.number, self.closed, self.flushes = number, False, 0

    def flush(self) -> None:
        """Everything stays in the outbox."""

    def schedule_flush(self) -> None:
        self.flushes += 1


def connection(number: int) -> Any:
    return Connection(number)


def test_a_key_dies_when_an_older_connection_speaks_long_after_a_newer_one_began() -> None:
    key, old, new = AuthKey(os.urandom(256)), connection(1), connection(2)
    assert not key.is_used_twice(old, 0.0, grace=1)
    assert not key.is_used_twice(new, 1.0, grace=1)
    assert not key.is_used_twice(old, 1.9, grace=1)
    assert key.is_used_twice(old, 2.1, grace=1)


def test_a_reconnect_does_not_kill_a_key() -> None:
    key, old, new = AuthKey(os.urandom(256)), connection(1), connection(2)
    assert not key.is_used_twice(old, 0.0, grace=1)
    old.closed = True
    assert not any(key.is_used_twice(new, now, grace=1) for now in (1.0, 5.0, 9.0))


def test_an_old_connection_goes_on_when_the_newer_one_is_closed() -> None:
    key, old, new = AuthKey(os.urandom(256)), connection(1), connection(2)
    key.is_used_twice(old, 0.0, grace=1)
    key.is_used_twice(new, 1.0, grace=1)
    new.closed = True
    assert not any(key.is_used_twice(old, now, grace=1) for now in (5.0, 9.0))


def test_what_was_not_acknowledged_is_sent_again_to_the_same_session_with_the_same_ids() -> None:
    session, _ = AuthKey(os.urandom(256)).session(1)
    session.attach(connection(1))
    for body in (b"one", b"two", b"three"):
        session.push(body)
    first = session.outbox
    session.acknowledge([first[1].msg_id])
    session.attach(connection(2))
    assert session.outbox == [first[0], first[2]]


def test_service_messages_are_not_kept() -> None:
    session, _ = AuthKey(os.urandom(256)).session(1)
    session.attach(connection(1))
    session.reply(b"pong")
    session.attach(connection(2))
    assert session.outbox == []


def test_message_ids_rise_and_tell_answers_from_pushes() -> None:
    session, _ = AuthKey(os.urandom(256)).session(1)
    session.attach(connection(1))
    for _ in range(50):
        session.push(b"push")
        session.answer(b"answer")
    ids = [message.msg_id for message in session.outbox]
    assert ids == sorted(set(ids))
    assert [i % 4 for i in ids] == [3, 1] * 50
    assert [message.seq_no for message in session.outbox] == list(range(1, 201, 2))


def test_memory_for_sessions_and_unacknowledged_messages_is_bounded() -> None:
    key = AuthKey(os.urandom(256))
    for number in range(MAX_SESSIONS + 5):
        key.session(number)
    assert len(key.sessions) == MAX_SESSIONS
    session, is_new = key.session(0)
    assert is_new
    for _ in range(MAX_UNACKNOWLEDGED + 5):
        session.push(b"push")
    session.attach(connection(1))
    assert len(session.outbox) == MAX_UNACKNOWLEDGED


def test_a_message_of_the_client_is_new_only_once() -> None:
    session, _ = AuthKey(os.urandom(256)).session(1)
    assert [session.first_time(i) for i in (4, 8, 4)] == [True, True, False]
