"""The command menu of a bot."""

import re
from typing import Any

from telethon.tl import functions as f

from services.testdc.api.registry import Call, answers
from services.testdc.model import bad

MOST_COMMANDS = 100


@answers(f.bots.SetBotCommandsRequest, f.bots.ResetBotCommandsRequest)
def set_commands(call: Call, request: Any) -> bool:
    """The menu is seen in the record only; limits as in the Bot API's setMyCommands."""
    commands = getattr(request, "commands", [])
    if len(commands) > MOST_COMMANDS:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    for one in commands:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", one.command):
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= len(one.description) <= 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    menu = "\n".join(f"/{one.command} {one.description}" for one in commands)
    call.world.record.add(kind="commands", account=call.me.id, chat=call.me.id, text=menu)
    return True
