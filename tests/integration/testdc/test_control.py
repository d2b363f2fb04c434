import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from telethon import errors
from telethon import functions as f
from telethon import types as t

from services.testdc.__main__ import serve, show_key, with_secrets
from services.testdc.control import LONGEST_LINE, Control
from services.testdc.crypto import ServerKey
from services.testdc.faults import flood, slow_send
from services.testdc.lines import SandboxError
from services.testdc.model import Account, Action
from services.testdc.remote import Sandbox
from services.testdc.server import TestDC
from tests.support.sandbox import Inbox, SandboxProcess, connected, new_client

TOKEN = "secret of this test"


@pytest.fixture
async def control(dc: TestDC) -> AsyncIterator[Control]:
    async with Control(dc, TOKEN) as control:
        yield control


@pytest.fixture
async def sandbox(control: Control) -> AsyncIterator[Sandbox]:
    async with Sandbox.connect(control.host, control.port, TOKEN) as sandbox:
        yield sandbox


class Wire:
    """A bare connection to the control port."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self, line: bytes) -> Any:
        self.writer.write(line + b"\n")
        return json.loads(await asyncio.wait_for(self.reader.readline(), 10))


@asynccontextmanager
async def wire(control: Control, token: str | None = TOKEN) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection(control.host, control.port)
    bare = Wire(reader, writer)
    if token:
        assert await bare.answer(json.dumps({"token": token}).encode()) == {"id": None, "ok": {}}
    try:
        yield bare
    finally:
        writer.close()


# -- the port itself
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"token": "wrong"}', "TOKEN_INVALID"),
        (b'{"token": 5}', "FIELD_INVALID"),
        (b"{}", "FIELD_MISSING"),
        (b"hello", "JSON_INVALID"),
        (b'{"id": 1, "do": "accounts"}', "FIELD_MISSING"),
    ],
)
async def test_without_the_token_there_is_one_error_and_the_end(control: Control, line: bytes, reason: str) -> None:
    async with wire(control, token=None) as bare:
        assert (await bare.answer(line))["error"]["reason"] == reason
        assert await bare.reader.read() == b""
    with pytest.raises(SandboxError, match="TOKEN_INVALID"):
        async with Sandbox.connect(control.host, control.port, "wrong"):
            pass


@pytest.mark.parametrize(
    ("line", "reason", "named"),
    [
        (b"not json", "JSON_INVALID", "no JSON"),
        (b"\xff\xfe", "JSON_INVALID", "no JSON"),
        (b"[1]", "JSON_INVALID", "object"),
        (b"[" * 100_000, "JSON_INVALID", "recursion"),
        (b'{"do": "watch", "id": [1]}', "FIELD_INVALID", '"id" has to be a whole number'),
        (b'{"id": 1}', "FIELD_MISSING", '"do"'),
        (b'{"do": "dance"}', "VERB_UNKNOWN", "dance"),
        (b'{"do": "add_user"}', "FIELD_MISSING", '"name"'),
        (b'{"do": "add_user", "name": 5}', "FIELD_INVALID", '"name" has to be a string'),
        (b'{"do": "add_user", "name": "\\ud800"}', "FIELD_INVALID", "surrogate"),
        (b'{"do": "say", "who": 1, "chat": 2, "text": "x"}', "PEER_ID_INVALID", '"who"'),
        (b'{"do": "view", "who": true, "chat": 2}', "FIELD_INVALID", "whole number"),
        (b'{"do": "edit", "who": 5000000001, "post": 99, "text": "x"}', "MESSAGE_ID_INVALID", '"post"'),
        (b'{"do": "record", "since": 99999999999999999999}', "FIELD_INVALID", "too large"),
        (b'{"do": "add_group", "title": "T", "kind": "channel"}', "FIELD_INVALID", "basic, supergroup"),
        (b'{"do": "limits", "set": {"speed": 1}}', "FIELD_INVALID", "speed"),
        (b'{"do": "fault", "method": "messages.sendMesage", "kind": "swallow"}', "FIELD_INVALID", "sendMesage"),
        (b'{"do": "push_raw", "account": 5000000001, "body": "xyz"}', "FIELD_INVALID", "hexadecimal"),
        (
            b'{"do": "say", "who": 5000000001, "chat": 5000000001, "text": "x", "entities": [{"type": "Loud"}]}',
            "FIELD_INVALID",
            '"type"',
        ),
        (
            b'{"do": "say", "who": 5000000001, "chat": 5000000001, "text": "x", "entities": [{"type": "Bold"}]}',
            "FIELD_INVALID",
            '"entities"',
        ),
        (b'{"do": "say_many", "messages": [5]}', "FIELD_INVALID", '"messages" has to be an object'),
        (b'{"do": "say", "text": "' + b"x" * (10 << 20) + b'"}', "LINE_TOO_LONG", str(LONGEST_LINE)),
    ],
    ids=lambda value: value[:60] if isinstance(value, bytes) else None,
)
async def test_bad_input_gets_a_clear_error_and_the_port_lives(
    dc: TestDC, control: Control, line: bytes, reason: str, named: str
) -> None:
    anna = dc.world.add_user("Anna")
    async with wire(control) as bare:
        error = (await bare.answer(line))["error"]
        assert error["reason"] == reason
        assert named in error["message"]
        answer = await bare.answer(b'{"id": "mine", "do": "accounts"}')
        assert (answer["id"], answer["ok"]["accounts"][0]["id"]) == ("mine", anna.id)


async def test_a_refusal_of_telegram_is_told_in_its_words(dc: TestDC, sandbox: Sandbox) -> None:
    anna, bot = await sandbox.add_user("Anna"), await sandbox.add_bot("Echo")
    post = await sandbox.say(anna, bot, "x")
    with pytest.raises(SandboxError, match="MESSAGE_AUTHOR_REQUIRED"):
        await sandbox.edit(bot, post.post, "y")
    with pytest.raises(SandboxError) as refused:
        await sandbox.react(anna, post.post, "x")
    assert refused.value.reason == "REACTION_INVALID"


async def test_what_cannot_be_answered_before_the_end_fails(sandbox: Sandbox, control: Control) -> None:
    async with aclosing(sandbox.watch()) as actions:
        waiting = asyncio.ensure_future(anext(actions))
        await sandbox.accounts()
        for client in control._clients:
            client.cancel()
        with pytest.raises(ConnectionError):
            await waiting
    with pytest.raises(ConnectionError):
        await sandbox.accounts()


# -- people
async def test_people_live_through_the_port(dc: TestDC, sandbox: Sandbox) -> None:
    bot = await sandbox.add_bot("Echo", token="42:secret")
    anna, ben = await sandbox.add_user("Anna", "anna_k"), await sandbox.add_user("Ben")
    group = await sandbox.add_group("Team", anna, admins=[bot])
    await sandbox.join(ben, group)
    accounts, groups = await sandbox.accounts()
    assert (sorted(one.id for one in accounts), groups[0].members) == (
        sorted([bot.id, anna.id, ben.id]),
        {bot.id, anna.id, ben.id},
    )
    assert (groups[0].admins, groups[0].kind, bot.token) == ({bot.id}, "supergroup", "42:secret")
    bold = {"type": "Bold", "offset": 0, "length": 2}
    first = await sandbox.say(anna, group, "hi", entities=[bold])
    second = await sandbox.say(ben, group, "", reply_to=first.post, media="voice")
    await sandbox.edit(anna, first.post, "ho")
    await sandbox.react(ben, first.post, "👍")
    view = await sandbox.view(anna, group)
    assert [(m.id, m.sender, m.text, m.edited, m.reply_to, m.media, m.reactions) for m in view.messages] == [
        (1, anna.id, "ho", True, None, None, {ben.id: ["👍"]}),
        (2, ben.id, "", False, 1, "voice", {}),
    ]
    assert view == dc.world.view(anna, dc.world.people.group(group.id))
    assert second.message_id(bot.id) == 2
    await sandbox.delete(ben, second.post)
    await sandbox.leave(ben, group)
    await sandbox.block(anna, bot)
    with pytest.raises(SandboxError, match="YOU_BLOCKED_USER"):
        await sandbox.say(anna, bot, "x")
    await sandbox.unblock(anna, bot)
    kinds = [action.kind for action in await sandbox.record()]
    assert kinds == ["join"] * 3 + ["send", "send", "edit", "react", "delete", "leave", "block", "unblock"]


async def test_a_person_asks_and_a_bot_answers(dc: TestDC, sandbox: Sandbox) -> None:
    anna, bot = await sandbox.add_user("Anna"), await sandbox.add_bot("Echo")
    async with connected(dc, bot) as client:
        inbox = Inbox(client)

        async def answer() -> None:
            update = await inbox.wait(t.UpdateNewMessage)
            await client.send_message(anna.id, f"re {update.message.message}")

        answering = asyncio.create_task(answer())
        assert (await sandbox.ask(anna, bot, "😀 hello")).text == "re 😀 hello"
        await answering
        assert (await sandbox.calls())["messages.sendMessage"] == 1


async def test_long_texts_and_many_messages_pass(sandbox: Sandbox) -> None:
    anna, bot = await sandbox.add_user("Anna"), await sandbox.add_bot("Echo")
    await sandbox.say(anna, bot, "😀" * 100_000)
    said = await sandbox.say_many([(anna, bot, f"m{n}") for n in range(500)])
    assert [one.message_id(bot.id) for one in said] == list(range(2, 502))
    assert (await sandbox.view(anna, bot, limit=-1)).messages == []
    view = await sandbox.view(anna, bot, limit=1000)
    assert [len(view.messages), len(view.messages[0].text), view.messages[-1].text] == [501, 100_000, "m499"]


async def test_requests_may_be_made_at_the_same_time(sandbox: Sandbox) -> None:
    anna, bot = await sandbox.add_user("Anna"), await sandbox.add_bot("Echo")
    said = await asyncio.gather(*(sandbox.say(anna, bot, str(n)) for n in range(100)))
    assert sorted(one.message_id(anna.id) for one in said) == list(range(1, 101))


# -- the record
async def test_a_watch_replays_and_goes_on_without_gap_or_double(sandbox: Sandbox) -> None:
    anna, bot = await sandbox.add_user("Anna"), await sandbox.add_bot("Echo")
    await sandbox.say_many([(anna, bot, str(n)) for n in range(700)])
    talking = asyncio.create_task(sandbox.say_many([(anna, bot, str(n)) for n in range(700, 1400)]))
    seen: list[Action] = []
    async with aclosing(sandbox.watch(since=100)) as actions:
        async for action in actions:
            seen.append(action)
            if action.seq == 1400:
                break
    await talking
    assert [(action.seq, action.text) for action in seen] == [(n + 1, str(n)) for n in range(100, 1400)]


async def test_several_watches_and_requests_share_a_connection(sandbox: Sandbox) -> None:
    anna, bot = await sandbox.add_user("Anna"), await sandbox.add_bot("Echo")
    one = asyncio.create_task(sandbox.wait_for(lambda a: a.text == "one", since=0))
    two = asyncio.create_task(sandbox.wait_for(lambda a: a.text == "two", since=0))
    for text in ("two", "one", "three"):
        await sandbox.say(anna, bot, text)
    assert [(await one).text, (await two).text] == ["one", "two"]
    with pytest.raises(TimeoutError):
        await sandbox.wait_for(lambda a: a.text == "three", limit=0.05)


# -- faults
async def test_faults_and_limits_are_set_through_the_port(dc: TestDC, sandbox: Sandbox) -> None:
    anna, bot = await sandbox.add_user("Anna"), await sandbox.add_bot("Echo")
    assert (await sandbox.limits(random_ids="duplicate", per_chat=[3, 60]))["per_chat"] == [3, 60]
    await sandbox.fault("messages.sendMessage", flood(5), account=bot)
    await sandbox.fault("messages.sendMessage", slow_send(0.01), times=None)
    async with connected(dc, bot) as client:
        request = f.messages.SendMessageRequest(t.InputPeerUser(anna.id, 0), "x", random_id=1)
        with pytest.raises(errors.FloodWaitError):
            await client._sender.send(request)
        await client._sender.send(request)
        with pytest.raises(errors.RandomIdDuplicateError):
            await client._sender.send(request)
    await sandbox.clear_faults(seed=1)
    assert dc.faults.take("messages.sendMessage", bot.id) is None


async def test_network_and_service_are_disturbed_through_the_port(dc: TestDC, sandbox: Sandbox) -> None:
    anna, bot = await sandbox.add_user("Anna"), await sandbox.add_bot("Echo")
    group = await sandbox.add_group("Team", anna, bot)
    async with connected(dc, bot) as client:
        inbox = Inbox(client)
        await sandbox.drop_pushes(1, chat=group)
        await sandbox.say(anna, group, "lost")
        await sandbox.hold_pushes()
        await sandbox.say(anna, bot, "held")
        assert inbox.updates == []
        await sandbox.release_pushes(reverse=True)
        assert (await inbox.wait(t.UpdateNewMessage)).message.message == "held"
        await sandbox.duplicate_pushes(on=True)
        await sandbox.change_salt()
        await client.get_me()
        await sandbox.freeze(bot)
        await sandbox.thaw()
        await sandbox.push_raw(bot, bytes(t.UpdatesTooLong()))
        await sandbox.push_too_long(bot, group)
        await sandbox.refuse()
        await sandbox.kill_connections(bot, reset=True)
        await sandbox.accept()
        await client.get_me()
        await sandbox.log_out(bot)
        with pytest.raises(errors.AuthKeyUnregisteredError):
            await client(f.updates.GetStateRequest())
        await sandbox.forget_keys()
        with pytest.raises(errors.AuthKeyNotFound):
            await client(f.updates.GetStateRequest())
    other = new_client(dc.port)
    await other.start(bot_token=bot.token)
    await sandbox.transport_error(429)
    with pytest.raises(errors.InvalidBufferError):
        await other.disconnected
    assert await sandbox.unknown_calls() == []


# -- the process
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"TESTDC_FOLDER": None}, "TESTDC_FOLDER is not set"),
        ({"TESTDC_TOKEN": ""}, "TESTDC_TOKEN is not set"),
        ({"TESTDC_LISTEN": "here"}, "TESTDC_LISTEN has to be host:port"),
        ({"TESTDC_LISTEN": "127.0.0.1:99999"}, "TESTDC_LISTEN has to be host:port"),
        (
            {"TESTDC_CONTROL": "0.0.0.0:0"},
            "TESTDC_TOKEN needs 32 characters where TESTDC_CONTROL is no loopback address",
        ),
        ({"TESTDC_KEY": "/dev/null"}, "TESTDC_KEY: /dev/null is no private RSA key in PEM form"),
        ({"TESTDC_BOT_TOKEN": "nonsense"}, "TESTDC_BOT_TOKEN is no bot token"),
        ({"TESTDC_FOLDER": "/dev/null"}, "TESTDC_FOLDER: the folder /dev/null cannot be used"),
        ({"TESTDC_LISTEN": "192.0.2.1:1"}, "TESTDC_LISTEN or TESTDC_CONTROL"),
    ],
)
async def test_a_wrong_environment_is_one_sentence_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str | None], named: str
) -> None:
    good = {
        "TESTDC_FOLDER": str(tmp_path),
        "TESTDC_TOKEN": "secret",
        "TESTDC_LISTEN": "127.0.0.1:0",
        "TESTDC_CONTROL": "127.0.0.1:0",
    }
    with pytest.raises(SystemExit) as ended:
        await serve({name: value for name, value in {**good, **change}.items() if value is not None})
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"testdc: {named}")
    assert said.count("\n") == 1


def test_clients_are_told_the_public_half_of_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = ServerKey.generate()
    (tmp_path / "key.pem").write_bytes(key.private_pem)
    show_key({"TESTDC_KEY": str(tmp_path / "key.pem")})
    assert capsys.readouterr().out == key.public_pem
    with pytest.raises(SystemExit):
        show_key({})


def test_secrets_may_be_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "TESTDC_TOKEN").write_text("from a file\n")
    (tmp_path / "TESTDC_BOT_TOKEN").write_text("4242:file")
    (tmp_path / "key.pem").write_bytes(b"\xff")
    given = {"VALOR_SECRETS": str(tmp_path), "TESTDC_BOT_TOKEN": "4242:given"}
    assert with_secrets(given) == {**given, "TESTDC_TOKEN": "from a file"}
    assert with_secrets({}) == {}
    with pytest.raises(SystemExit):
        with_secrets({"VALOR_SECRETS": "/nowhere"})
    assert capsys.readouterr().err == "testdc: VALOR_SECRETS: /nowhere is no folder\n"


async def test_the_process_uses_the_key_that_it_was_given(
    sandbox_process: SandboxProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sandbox_process.stop()
    key = ServerKey.generate()
    (tmp_path / "key.pem").write_bytes(key.private_pem)
    monkeypatch.setenv("TESTDC_KEY", str(tmp_path / "key.pem"))
    await sandbox_process.start()
    assert (sandbox_process.folder / "server_key.pem").read_text() == key.public_pem


async def test_the_process_serves_a_bot_with_the_token_it_was_given(
    sandbox_process: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sandbox_process.stop()
    monkeypatch.setenv("TESTDC_BOT_TOKEN", "4242:given")
    await sandbox_process.start()
    client = new_client(sandbox_process.port)
    await client.start(bot_token="4242:given")
    async with sandbox_process.control() as sandbox:
        anna = await sandbox.add_user("Anna")
        [bot] = [one for one in (await sandbox.accounts())[0] if one.bot]
        assert bot == Account(4242, "Sandbox", "sandbox_bot", True, "4242:given")
        await client.send_message(anna.id, "hello")
        assert [seen.text for seen in (await sandbox.view(anna, bot)).messages] == ["hello"]
    await client.disconnect()
