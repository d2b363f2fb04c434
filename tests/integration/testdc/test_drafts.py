"""The stop button of a draft, pressed by a person's client and told to the bot's."""

from typing import Any

import pytest
from telethon import errors
from telethon import functions as f
from telethon import types as t

from services.testdc.server import TestDC
from tests.support.sandbox import Inbox, connected


def draft(text: str = "On and on", **options: Any) -> Any:
    return t.SendMessageTextDraftAction(t.TextWithEntities(text, []), random_id=5, **options)


@pytest.mark.parametrize(("keep", "left"), [(True, 1), (False, 0)])
async def test_a_person_stops_a_draft_and_the_bot_is_told(dc: TestDC, *, keep: bool, left: int) -> None:
    bot, anna = dc.world.add_bot("Echo"), dc.world.add_user("Anna", "anna_k")
    async with connected(dc, bot) as client, connected(dc, anna) as person:
        inbox = Inbox(client)
        to_anna = t.InputPeerUser(anna.id, 0)
        to_bot = await person.get_input_entity(bot.username)
        await client(f.messages.SetTypingRequest(to_anna, draft(can_stop=True, keep_on_stop=keep)))
        with pytest.raises(errors.RPCError, match="TEXTDRAFT_NOT_FOUND"):
            await person(f.messages.SetTypingRequest(to_bot, t.SendMessageStopDraftAction(6)))
        await person(f.messages.SetTypingRequest(to_bot, t.SendMessageStopDraftAction(5)))
        told = await inbox.wait(t.UpdateUserTyping)
        assert (told.user_id, told.action) == (anna.id, t.SendMessageStopDraftAction(5))
        assert len(dc.world.view(anna, bot).drafts) == left
        assert [(a.account, a.chat, a.random_id) for a in dc.world.record.all() if a.kind == "stop"] == [
            (anna.id, bot.id, 5)
        ]


async def test_a_draft_that_does_not_allow_it_cannot_be_stopped(dc: TestDC) -> None:
    bot, anna = dc.world.add_bot("Echo"), dc.world.add_user("Anna", "anna_k")
    group = dc.world.add_group("Team", bot, anna)
    async with connected(dc, bot) as client, connected(dc, anna) as person:
        await client(f.messages.SetTypingRequest(t.InputPeerUser(anna.id, 0), draft()))
        to_bot = await person.get_input_entity(bot.username)
        to_team = t.InputPeerChannel(group.raw_id, dc.world.people.access_hash(anna.id, group.id))
        for peer, error in ((to_bot, "TEXTDRAFT_NOT_FOUND"), (to_team, "TEXTDRAFT_PEER_INVALID")):
            with pytest.raises(errors.RPCError, match=error):
                await person(f.messages.SetTypingRequest(peer, t.SendMessageStopDraftAction(5)))
