"""Connection and login."""

from typing import Any

from telethon.tl import functions as f
from telethon.tl import types as t

from services.testdc.api import render
from services.testdc.api.registry import Call, answers
from services.testdc.model import bad

DC_ID = 2
CODE = str(DC_ID) * 5
# Limits that Config must carry and no client of ours reads.
_UNREAD = """
chat_size_max megagroup_size_max forwarded_count_max online_update_period_ms offline_blur_timeout_ms
offline_idle_timeout_ms online_cloud_timeout_ms notify_cloud_delay_ms notify_default_delay_ms push_chat_period_ms
push_chat_limit edit_time_limit revoke_time_limit revoke_pm_time_limit rating_e_decay stickers_recent_limit
channels_read_media_period call_receive_timeout_ms call_ring_timeout_ms call_connect_timeout_ms
call_packet_timeout_ms caption_length_max
"""


@answers(f.help.GetConfigRequest, public=True)
def get_config(call: Call, _request: Any) -> Any:
    """One data centre: this one."""
    now = call.world.clock()
    return t.Config(
        date=render.utc(now),
        expires=render.utc(now + 3600),
        test_mode=True,
        this_dc=DC_ID,
        dc_options=[t.DcOption(DC_ID, *call.address)],
        dc_txt_domain_name="",
        me_url_prefix="https://t.me/",
        message_length_max=call.world.limits.text,
        webfile_dc_id=DC_ID,
        **dict.fromkeys(_UNREAD.split(), 1024),
    )


@answers(f.auth.ImportBotAuthorizationRequest, public=True)
def log_bot_in(call: Call, request: Any) -> Any:
    """The key belongs to the bot of this token from now on."""
    bot = call.world.people.by_token(request.bot_auth_token)
    if bot is None:
        raise bad("ACCESS_TOKEN_INVALID")
    call.log_in(bot)
    return t.auth.Authorization(render.user(call.world, bot, bot))


@answers(f.auth.SendCodeRequest, public=True)
def send_code(call: Call, request: Any) -> Any:
    """A person wants to log in. The code is the one of Telegram's test servers: the digit of the DC, five times."""
    if call.world.people.by_phone(request.phone_number) is None:
        raise bad("PHONE_NUMBER_INVALID")
    return t.auth.SentCode(t.auth.SentCodeTypeApp(len(CODE)), _code_hash(request.phone_number))


@answers(f.auth.SignInRequest, public=True)
def log_person_in(call: Call, request: Any) -> Any:
    """The key belongs to the person of this phone number from now on."""
    person = call.world.people.by_phone(request.phone_number)
    if person is None:
        raise bad("PHONE_NUMBER_INVALID")
    if request.phone_code_hash != _code_hash(request.phone_number):
        raise bad("PHONE_CODE_EXPIRED")
    if request.phone_code != CODE:
        raise bad("PHONE_CODE_INVALID")
    call.log_in(person)
    return t.auth.Authorization(render.user(call.world, person, person))


def _code_hash(phone_number: str) -> str:
    return f"code-for-{phone_number}"


@answers(f.auth.LogOutRequest)
def log_out(call: Call, _request: Any) -> Any:
    """The key belongs to nobody from now on."""
    call.log_in(None)
    return t.auth.LoggedOut()
