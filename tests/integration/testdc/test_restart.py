import asyncio
from functools import partial
from pathlib import Path

from telethon import functions as f
from telethon import types as t

from services.testdc.crypto import ServerKey
from services.testdc.server import TestDC
from tests.support.sandbox import Inbox, SandboxProcess, new_client, until


async def test_a_client_goes_on_after_the_server_restarted(server_key: ServerKey, tmp_path: Path) -> None:
    async with TestDC(tmp_path, key=server_key) as dc:
        bot, anna = dc.world.add_bot("Echo"), dc.world.add_user("Anna")
        client = new_client(dc.port)
        await client.start(bot_token=bot.token)
        first = await client.send_message(anna.id, "before")
        port = dc.port
    async with TestDC(tmp_path, port=port) as dc:
        bot, anna = dc.world.people.account(bot.id), dc.world.people.account(anna.id)
        inbox = Inbox(client)
        await client.edit_message(first, "edited after")
        dc.world.say(anna, bot, "hello again")
        assert (await inbox.wait(t.UpdateNewMessage)).message.id == 2
        assert dc.world.calls.counts["auth.importBotAuthorization"] == 0
        assert [seen.text for seen in dc.world.view(anna, bot).messages] == ["edited after", "hello again"]
        await client.disconnect()


def reached(answered: dict[int, int], goal: int) -> bool:
    return len(answered) >= goal


async def test_kill_nine_forgets_nothing_that_a_client_knows(sandbox_process: SandboxProcess) -> None:
    async with sandbox_process.control() as sandbox:
        bot, anna = await sandbox.add_bot("Echo"), await sandbox.add_user("Anna")
    client = new_client(sandbox_process.port)
    await client.start(bot_token=bot.token)
    inbox, answered = Inbox(client), dict[int, int]()

    async def send_all() -> None:
        for random_id in range(1, 400):
            request = f.messages.SendMessageRequest(t.InputPeerUser(anna.id, 0), "x", random_id=random_id)
            sent = await client(request)
            answered[random_id] = getattr(sent, "updates", [sent])[0].id

    sending = asyncio.create_task(send_all())
    for _ in range(2):
        goal = len(answered) + 100
        async with sandbox_process.control() as sandbox:
            said = [await sandbox.say(anna, bot, f"a{n}") for n in range(20)]
            await until(partial(reached, answered, goal))
            await sandbox_process.kill()
        await sandbox_process.start()
    await sending
    await client.disconnect()
    async with sandbox_process.control() as sandbox:
        record, view = await sandbox.record(), await sandbox.view(anna, bot, limit=1000)
    sent = {action.random_id: action.message_id(bot.id) for action in record if action.random_id}
    spoken = {action.message_id(bot.id): action.text for action in record}
    heard = {update.message.id: update.message.message for update in inbox.of(t.UpdateNewMessage)}
    assert sent == answered
    assert heard
    assert heard.items() <= spoken.items()
    assert {one.message_id(bot.id) for one in said} <= spoken.keys()
    assert [action.seq for action in record] == list(range(1, 399 + 40 + 1))
    assert len(view.messages) == len(record)


async def test_kill_nine_forgets_nothing_that_the_control_port_answered(sandbox_process: SandboxProcess) -> None:
    async with sandbox_process.control() as sandbox:
        anna, ben = await sandbox.add_user("Anna"), await sandbox.add_user("Ben")
        await sandbox.say(anna, ben, "hello")
        await sandbox_process.kill()
    await sandbox_process.start()
    async with sandbox_process.control() as sandbox:
        assert [seen.text for seen in (await sandbox.view(ben, anna)).messages] == ["hello"]


async def test_sigterm_ends_it_cleanly(sandbox_process: SandboxProcess) -> None:
    async with sandbox_process.control():
        assert await sandbox_process.stop() == 0
    await sandbox_process.start()
    assert await sandbox_process.stop() == 0
