"""Telegram's updates in our words, whatever they look like."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telethon import types as t
from telethon.extensions import BinaryReader
from telethon.utils import get_peer_id

from services.telegram.adapters import translate
from services.telegram.adapters.sender import input_peer
from services.telegram.adapters.translate import People
from services.telegram.model import (
    ACCOUNT_BOX,
    Change,
    ChatType,
    Entity,
    Incoming,
    Poison,
    Stop,
    box_of,
    channel_chat_id,
)

WHEN = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
ANNA = t.User(8, access_hash=80, first_name="Anna", last_name="K", username="anna_k")
HELPER = t.User(9, access_hash=90, first_name="Helper", bot=True, bot_info_version=1)
BASIC = t.Chat(4, "Basics", t.ChatPhotoEmpty(), 3, WHEN, version=1)
TEAM = t.Channel(5, "Team", t.ChatPhotoEmpty(), WHEN, access_hash=50, megagroup=True)
PEOPLE = People([ANNA, HELPER], [BASIC, TEAM])
PRIVATE, GROUP, SUPERGROUP = t.PeerUser(8), t.PeerChat(4), t.PeerChannel(5)
TEAM_ID = -1_000_000_000_005


def message(peer: Any = PRIVATE, text: str = "hello", **fields: Any) -> t.Message:
    return t.Message(**{"id": 7, "peer_id": peer, "date": WHEN, "message": text, **fields})


def incoming(message: Any, *, edited: bool = False) -> Incoming:
    poison: list[Poison] = []
    found = translate.incoming(message, PEOPLE, poison, edited=edited)
    assert found is not None, poison
    return found


def pushed(*updates: Any) -> tuple[Change, ...]:
    push, _ = translate.push(t.Updates([*updates], [ANNA, HELPER], [BASIC, TEAM], WHEN, 0))
    assert push.poison == ()
    return push.changes


# -- topics ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("header", "forum", "expected"),
    [
        (None, False, (0, 0)),
        (None, True, (1, 0)),
        (t.MessageReplyHeader(reply_to_msg_id=7), False, (0, 7)),
        (t.MessageReplyHeader(reply_to_msg_id=7), True, (1, 7)),
        (t.MessageReplyHeader(reply_to_msg_id=7, reply_to_top_id=5), True, (1, 7)),
        (t.MessageReplyHeader(reply_to_msg_id=7, reply_to_top_id=5), False, (0, 7)),
        (t.MessageReplyHeader(forum_topic=True, reply_to_msg_id=5), True, (5, 0)),
        (t.MessageReplyHeader(forum_topic=True, reply_to_msg_id=7, reply_to_top_id=5), True, (5, 7)),
        (t.MessageReplyHeader(forum_topic=True, reply_to_msg_id=5, reply_to_top_id=5), True, (5, 0)),
        (t.MessageReplyHeader(forum_topic=True, reply_to_msg_id=5), False, (5, 0)),
        (t.MessageReplyStoryHeader(PRIVATE, 3), False, (0, 0)),
    ],
)
def test_only_the_flag_makes_a_topic(header: Any, *, forum: bool, expected: tuple[int, int]) -> None:
    """F87."""
    assert translate.place(header, forum=forum) == expected


def test_a_stop_comes_alone_and_among_others() -> None:
    """F73."""
    stop = t.UpdateUserTyping(8, t.SendMessageStopDraftAction(5), top_msg_id=3)
    for pushed_ in (t.UpdateShort(stop, WHEN), t.Updates([stop], [ANNA], [], WHEN, 0)):
        assert translate.push(pushed_)[0].stops == (Stop(8, 3, 5),)
    typing = t.UpdateUserTyping(8, t.SendMessageTypingAction())
    assert translate.push(t.UpdateShort(typing, WHEN))[0].stops == ()


# -- messages ----------------------------------------------------------------------------------------------------------
def test_a_private_message() -> None:
    assert incoming(message(id=7)) == Incoming(
        chat_id=8,
        chat_type=ChatType.PRIVATE,
        message_id=7,
        user_id=8,
        text="hello",
        name="Anna K",
        username="anna_k",
        send_time=WHEN.timestamp(),
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (message(GROUP, from_id=PRIVATE), (-4, ChatType.GROUP, 8, "Anna K", "Basics", ACCOUNT_BOX)),
        (message(SUPERGROUP, from_id=PRIVATE), (TEAM_ID, ChatType.SUPERGROUP, 8, "Anna K", "Team", 5)),
        # an anonymous admin speaks as the group, a linked channel as itself, a channel's post as nobody
        (message(SUPERGROUP, from_id=SUPERGROUP), (TEAM_ID, ChatType.SUPERGROUP, TEAM_ID, "Team", "Team", 5)),
        (
            message(SUPERGROUP, from_id=t.PeerChannel(6)),
            (TEAM_ID, ChatType.SUPERGROUP, -1_000_000_000_006, "", "Team", 5),
        ),
        (message(SUPERGROUP, post=True), (TEAM_ID, ChatType.SUPERGROUP, TEAM_ID, "Team", "Team", 5)),
        (message(t.PeerUser(77)), (77, ChatType.PRIVATE, 77, "", "", ACCOUNT_BOX)),
    ],
)
def test_who_said_it_where(written: Any, expected: tuple[Any, ...]) -> None:
    found = incoming(written)
    assert (found.chat_id, found.chat_type, found.user_id, found.name, found.chat_title, found.box) == expected


def test_a_bot_is_told_apart_from_people() -> None:
    """Covers F13."""
    assert [incoming(message(GROUP, from_id=t.PeerUser(who))).bot for who in (8, 9)] == [False, True]


def document(*attributes: Any, **flags: Any) -> Any:
    found = t.Document(1, 1, b"", WHEN, "x/y", 1, 2, [*attributes])
    return t.MessageMediaDocument(document=found, **flags)


KINDS = [
    (None, "text"),
    (t.MessageMediaEmpty(), "text"),
    (t.MessageMediaPhoto(), "photo"),
    (t.MessageMediaGeo(t.GeoPoint(1.0, 2.0, 3)), "location"),
    (t.MessageMediaGeoLive(t.GeoPoint(1.0, 2.0, 3), 60), "location"),
    (t.MessageMediaVenue(t.GeoPoint(1.0, 2.0, 3), "", "", "", "", ""), "location"),
    (t.MessageMediaContact("", "", "", "", 1), "contact"),
    (t.MessageMediaWebPage(t.WebPageEmpty(1)), "text"),
    (t.MessageMediaDice(6, "🎲"), "other"),
    (t.MessageMediaUnsupported(), "other"),
    (document(), "document"),
    (document(t.DocumentAttributeFilename("a.pdf")), "document"),
    (document(t.DocumentAttributeAudio(3, voice=True)), "voice"),
    (document(voice=True), "voice"),
    (document(t.DocumentAttributeAudio(3)), "audio"),
    (document(t.DocumentAttributeVideo(3, 1, 1)), "video"),
    (document(t.DocumentAttributeVideo(3, 1, 1, round_message=True), round=True), "video_note"),
    (document(t.DocumentAttributeVideo(3, 1, 1), t.DocumentAttributeAnimated()), "animation"),
    (document(t.DocumentAttributeSticker("👋", t.InputStickerSetEmpty())), "sticker"),
    (
        document(t.DocumentAttributeSticker("👋", t.InputStickerSetEmpty()), t.DocumentAttributeVideo(1, 1, 1)),
        "sticker",
    ),
    (t.MessageMediaDocument(), "document"),
]


@pytest.mark.parametrize(("media", "kind"), KINDS)
def test_every_kind_of_media_has_a_word(media: Any, kind: str) -> None:
    """Covers F34."""
    found = incoming(message(text="caption", media=media))
    assert (found.kind, found.text) == (kind, "caption")


SPANS = [
    (t.MessageEntityBold(0, 2), Entity("bold", 0, 2)),
    (t.MessageEntityItalic(0, 2), Entity("italic", 0, 2)),
    (t.MessageEntityUnderline(0, 2), Entity("underline", 0, 2)),
    (t.MessageEntityStrike(0, 2), Entity("strikethrough", 0, 2)),
    (t.MessageEntitySpoiler(0, 2), Entity("spoiler", 0, 2)),
    (t.MessageEntityCode(0, 2), Entity("code", 0, 2)),
    (t.MessageEntityPre(0, 2, "python"), Entity("pre", 0, 2, "python")),
    (t.MessageEntityPre(0, 2, ""), Entity("pre", 0, 2)),
    (t.MessageEntityTextUrl(0, 2, "https://a"), Entity("text_link", 0, 2, "https://a")),
    (t.MessageEntityMentionName(0, 2, 8), Entity("text_mention", 0, 2, "8")),
    (t.MessageEntityMention(0, 2), Entity("mention", 0, 2)),
    (t.MessageEntityBotCommand(0, 2), Entity("bot_command", 0, 2)),
    (t.MessageEntityHashtag(0, 2), Entity("hashtag", 0, 2)),
    (t.MessageEntityUrl(0, 2), Entity("url", 0, 2)),
    (t.MessageEntityEmail(0, 2), Entity("email", 0, 2)),
    (t.MessageEntityBlockquote(0, 2, collapsed=True), Entity("blockquote", 0, 2)),
]


@pytest.mark.parametrize(("span", "expected"), SPANS)
def test_every_entity_we_name_is_translated(span: Any, expected: Entity) -> None:
    assert incoming(message(entities=[span])).entities == (expected,)


def test_entities_that_we_do_not_name_are_left_out() -> None:
    spans = [t.MessageEntityCustomEmoji(0, 2, 5), t.MessageEntityBold(3, 1), t.MessageEntityUnknown(0, 1)]
    assert incoming(message(entities=spans)).entities == (Entity("bold", 3, 1),)


def test_a_reply_names_what_it_answers() -> None:
    assert incoming(message(reply_to=t.MessageReplyHeader(reply_to_msg_id=3))).reply_to == 3
    assert incoming(message(reply_to=t.MessageReplyStoryHeader(PRIVATE, 3))).reply_to == 0


@pytest.mark.parametrize(
    "nobodys",
    [
        message(out=True),
        message(SUPERGROUP, out=True, from_id=PRIVATE),
        t.MessageService(7, PRIVATE, WHEN, t.MessageActionHistoryClear()),
        t.MessageService(7, SUPERGROUP, WHEN, t.MessageActionChatAddUser([8])),
        t.MessageEmpty(7, PRIVATE),
        t.MessageEmpty(7, None),
        None,
    ],
)
def test_our_own_and_nobodys_messages_are_no_messages(nobodys: Any) -> None:
    """Covers F1."""
    poison: list[Poison] = []
    assert translate.incoming(nobodys, PEOPLE, poison) is None
    assert poison == []


# -- pushes ------------------------------------------------------------------------------------------------------------
CHANGES = [
    (t.UpdateNewMessage(message(), 11, 1), Change(ACCOUNT_BOX, 11, 1, incoming(message()))),
    (t.UpdateEditMessage(message(), 11, 1), Change(ACCOUNT_BOX, 11, 1, incoming(message(), edited=True))),
    (t.UpdateNewChannelMessage(message(SUPERGROUP), 11, 1), Change(5, 11, 1, incoming(message(SUPERGROUP)))),
    (
        t.UpdateEditChannelMessage(message(SUPERGROUP), 11, 1),
        Change(5, 11, 1, incoming(message(SUPERGROUP), edited=True)),
    ),
    (t.UpdateNewMessage(message(out=True), 11, 1), Change(ACCOUNT_BOX, 11, 1)),
    (
        t.UpdateNewChannelMessage(t.MessageService(7, SUPERGROUP, WHEN, t.MessageActionPinMessage()), 11, 1),
        Change(5, 11, 1),
    ),
    (t.UpdateNewChannelMessage(t.MessageEmpty(7, SUPERGROUP), 11, 1), Change(5, 11, 1)),
    (t.UpdateDeleteMessages([1, 2], 11, 2), Change(ACCOUNT_BOX, 11, 2, deleted=(1, 2))),
    (t.UpdateDeleteChannelMessages(5, [1, 2], 11, 2), Change(5, 11, 2, deleted=(1, 2))),
    (t.UpdateReadHistoryOutbox(PRIVATE, 3, 11, 1), Change(ACCOUNT_BOX, 11, 1)),
    (t.UpdatePinnedMessages(PRIVATE, [3], 11, 1), Change(ACCOUNT_BOX, 11, 1)),
    (t.UpdatePinnedChannelMessages(5, [3], 11, 1), Change(5, 11, 1)),
    (t.UpdateChannelWebPage(5, t.WebPageEmpty(1), 11, 1), Change(5, 11, 1)),
]


@pytest.mark.parametrize(("update", "expected"), CHANGES)
def test_a_numbered_update_moves_its_box(update: Any, expected: Change) -> None:
    assert pushed(update) == (expected,)


@pytest.mark.parametrize(
    "update",
    [
        t.UpdateChannel(5),
        t.UpdateUserTyping(8, t.SendMessageTypingAction()),
        t.UpdateMessageID(7, 1),
        t.UpdateReadChannelInbox(5, 3, 0, 11),
        t.UpdateBotMessageReaction(PRIVATE, 7, WHEN, PRIVATE, [], [], 3),
        t.UpdateNewChannelMessage(t.MessageEmpty(7, None), 11, 1),  # of which supergroup, nobody can tell
    ],
)
def test_an_update_without_a_number_of_a_box_moves_none(update: Any) -> None:
    assert pushed(update) == ()


def test_several_updates_in_one_push_keep_their_order() -> None:
    updates = [t.UpdateNewMessage(message(id=number), number, 1) for number in (3, 4)]
    assert [change.pts for change in pushed(*updates)] == [3, 4]
    push, _ = translate.push(t.UpdatesCombined(updates, [ANNA], [], WHEN, 0, 0))
    assert [change.pts for change in push.changes] == [3, 4]


@pytest.mark.parametrize(
    ("updates", "stale", "count"),
    [
        (t.UpdatesTooLong(), True, 0),
        (t.UpdateShortMessage(7, 8, "hi", 11, 1, WHEN), True, 0),
        (t.UpdateShortChatMessage(7, 8, 4, "hi", 11, 1, WHEN), True, 0),
        (t.UpdateShort(t.UpdateNewMessage(message(), 11, 1), WHEN), False, 1),
        (t.UpdateShort(t.UpdateUserTyping(8, t.SendMessageTypingAction()), WHEN), False, 0),
        (t.UpdateShortSentMessage(7, 11, 1, WHEN, out=True), False, 1),
    ],
)
def test_short_forms_move_the_box_or_have_it_read(updates: Any, *, stale: bool, count: int) -> None:
    push, _ = translate.push(updates)
    assert (push.stale, len(push.changes)) == (stale, count)


def test_a_supergroup_that_is_too_long_is_to_be_read() -> None:
    push, _ = translate.push(t.Updates([t.UpdateChannelTooLong(5), t.UpdateChannelTooLong(6, 9)], [], [], WHEN, 0))
    assert (push.stale_channels, push.changes) == ((5, 6), ())


def test_sent_messages_and_deletions_of_a_difference() -> None:
    updates = [
        t.UpdateMessageID(3, 777),
        t.UpdateDeleteMessages([1], 0, 0),
        t.UpdateDeleteChannelMessages(5, [2], 0, 0),
        t.UpdateNewMessage(message(), 0, 0),
    ]
    assert translate.sent(updates) == ((777, 3),)
    assert translate.deletions(updates) == (1, 2)


# -- people ------------------------------------------------------------------------------------------------------------
PEERS = [
    ANNA,
    t.UserEmpty(8),
    BASIC,
    t.ChatEmpty(4),
    t.ChatForbidden(4, "Basics"),
    TEAM,
    t.ChannelForbidden(5, 50, "Team", megagroup=True),
]


@pytest.mark.parametrize("one", PEERS)
def test_whoever_comes_along_with_an_update_breaks_nothing(one: Any) -> None:
    push, _ = translate.push(t.Updates([t.UpdateNewMessage(message(), 11, 1)], [one], [one], WHEN, 0))
    assert len(push.changes) == 1


def test_only_keys_that_telegram_would_take_are_kept() -> None:
    vague = t.User(10, access_hash=1, min=True)
    people = People([ANNA, vague, t.UserEmpty(11)], [BASIC, TEAM, t.ChannelForbidden(6, 60, "Club")])
    assert people.access_hashes() == {8: 80, TEAM_ID: 50, -1_000_000_000_006: 60}


@given(st.integers(1, 2**52), st.integers(1, 10**11), st.integers(-(2**63), 2**63 - 1))
def test_all_forms_of_a_peer_give_one_key(user: int, group: int, access_hash: int) -> None:
    """Covers F6."""
    channel = group
    forms = {
        user: [t.PeerUser(user), t.InputPeerUser(user, access_hash), t.User(user)],
        -group: [t.PeerChat(group), t.InputPeerChat(group), t.Chat(group, "", None, 0, None, 0)],
        channel_chat_id(channel): [
            t.PeerChannel(channel),
            t.InputPeerChannel(channel, 0),
            t.Channel(channel, "", None, None),
        ],
    }
    for chat_id, peers in forms.items():
        assert {get_peer_id(peer) for peer in peers} == {chat_id}
        assert get_peer_id(input_peer(chat_id, access_hash)) == chat_id
    assert [box_of(chat_id) for chat_id in forms] == [ACCOUNT_BOX, ACCOUNT_BOX, channel]


# -- poison ------------------------------------------------------------------------------------------------------------
BROKEN = [
    {"peer_id": None},
    {"peer_id": t.PeerUser("eight")},
    {"date": "yesterday"},
    {"entities": [t.MessageEntityMentionName(None, None, None), object()]},
    {"reply_to": object()},
    {"media": object()},
]


@pytest.mark.parametrize("fields", BROKEN)
def test_an_odd_message_is_kept_whole_or_translated_and_never_breaks_its_push(fields: dict[str, Any]) -> None:
    odd = t.UpdateNewMessage(message(text="odd one", **fields), 11, 1)
    push, _ = translate.push(t.Updates([odd, t.UpdateNewMessage(message(), 12, 1)], [ANNA], [], WHEN, 0))
    assert [(change.box, change.pts) for change in push.changes] == [(ACCOUNT_BOX, 11), (ACCOUNT_BOX, 12)]
    assert push.changes[1].message is not None
    assert all("odd one" in poison.raw for poison in push.poison)
    assert bool(push.poison) is (push.changes[0].message is None)


ANYTHING = st.one_of(
    st.none(), st.integers(), st.text(max_size=3), st.just(object()), st.lists(st.integers(), max_size=2)
)
PEER = st.sampled_from([PRIVATE, GROUP, SUPERGROUP, None])
SPAN = st.one_of(ANYTHING, st.builds(t.MessageEntityTextUrl, ANYTHING, ANYTHING, ANYTHING))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "message": st.one_of(st.none(), st.text(max_size=5)),
            "peer_id": PEER,
            "from_id": PEER,
            "entities": st.one_of(st.none(), st.lists(SPAN, max_size=3)),
            "media": ANYTHING,
            "reply_to": ANYTHING,
            "date": st.one_of(ANYTHING, st.just(WHEN)),
        },
    )
)
def test_no_message_raises(fields: dict[str, Any]) -> None:
    poison: list[Poison] = []
    odd = t.Message(**{"id": 7, "peer_id": PRIVATE, "date": WHEN, "message": "x", **fields})
    assert (translate.incoming(odd, PEOPLE, poison) is None) is bool(poison)


def test_bytes_that_are_no_text_arrive_as_text() -> None:
    raw = bytes(message(text="before ?? after")).replace(b"??", b"\xed\xa0")
    with BinaryReader(raw) as reader:
        assert incoming(reader.tgread_object()).text.startswith("before")
