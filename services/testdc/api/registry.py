"""Which handler answers which RPC."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.testdc.keys import Keys
from services.testdc.model import Account, RpcFail
from services.testdc.sessions import AuthKey
from services.testdc.world import World

Handler = Callable[["Call", Any], Any]

_handlers: dict[type, Handler] = {}
_public: set[type] = set()


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler knows besides the request: who asks, and where."""

    world: World
    keys: Keys
    key: AuthKey
    address: tuple[str, int]

    @property
    def me(self) -> Account:
        """The account that is logged in; 401 AUTH_KEY_UNREGISTERED when none is."""
        if self.key.account is None:
            raise RpcFail(401, "AUTH_KEY_UNREGISTERED")
        return self.world.people.account(self.key.account)

    def log_in(self, account: Account | None) -> None:
        """The key belongs to this account, or to nobody, from now on."""
        self.key.account = account.id if account else None
        self.keys.save(self.key)


class Unsupported(Exception):
    """The sandbox does not imitate this; the client is told INPUT_METHOD_INVALID and tests are told to fail."""


def answers(*requests: type, public: bool = False) -> Callable[[Handler], Handler]:
    """Register a handler; a public one also answers who is not logged in."""

    def register(handler: Handler) -> Handler:
        for request in requests:
            _handlers[request] = handler
        if public:
            _public.update(requests)
        return handler

    return register


def answer(call: Call, request: Any) -> Any:
    """Carry a request out: a TL object, a bool or a list; RpcFail for a refusal, Unsupported for what is not here."""
    handler = _handlers.get(type(request))
    if handler is None:
        raise Unsupported(name_of(type(request)))
    if type(request) not in _public:
        _ = call.me
    return handler(call, request)


def name_of(request: type) -> str:
    """Telegram's name of a method, e.g. `messages.sendMessage`."""
    plain = request.__name__.removesuffix("Request")
    namespace = re.sub(r"telethon\.tl\.\w+\.?", "", request.__module__)
    method = plain[0].lower() + plain[1:]
    return f"{namespace}.{method}" if namespace else method


def is_answered(name: str) -> bool:
    """Whether the sandbox has a handler for the method of this name."""
    return any(name_of(request) == name for request in _handlers)


def only(request: Any, *known: str) -> None:
    """Unsupported when the request uses a field besides these: better loud than ignored."""
    for field, value in vars(request).items():
        unset = isinstance(value, datetime) and not value.timestamp()
        if value and not unset and field not in known:
            raise Unsupported(f"{name_of(type(request))} with {field}")
