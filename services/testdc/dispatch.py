"""Calls: each goes to its handler, past the faults that wait for it, and its answer goes back."""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from telethon.tl import types as t

from services.testdc.api.peers import find_peer
from services.testdc.api.registry import Call, Unsupported, answer, is_answered, name_of
from services.testdc.calls import RpcCall
from services.testdc.faults import Fault
from services.testdc.model import RpcFail
from services.testdc.mtproto import Invocation, rpc_result
from services.testdc.sessions import Session

SEND_MESSAGE = "messages.sendMessage"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Rule:
    fault: Fault
    account: int | None
    times: int | None
    probability: float


class CallFaults:
    """Faults waiting for calls, per method in the order they were queued."""

    def __init__(self) -> None:
        self._rules: defaultdict[str, list[_Rule]] = defaultdict(list)
        self._random = random.Random(0)  # noqa: S311 (chaos that can be repeated)

    def seed(self, seed: int) -> None:
        """Begin the series of chances anew."""
        self._random.seed(seed)

    def add(
        self,
        method: str,
        *faults: Fault,
        account: int | None = None,
        times: int | None = 1,
        probability: float = 1.0,
    ) -> None:
        """Queue faults for `times` calls each (None: until cleared), of one account or of all.

        With a probability below 1 a call may pass untouched, which does not use the fault up. ValueError for a method
        that the sandbox does not answer, and for a slow send of anything but a message.
        """
        if not is_answered(method):
            raise ValueError(f"the sandbox does not answer {method}")
        if method != SEND_MESSAGE and any(fault.kind == "slow_send" for fault in faults):
            raise ValueError(f"only {SEND_MESSAGE} can be a slow send")
        self._rules[method].extend(_Rule(fault, account, times, probability) for fault in faults)

    def clear(self) -> None:
        """Forget all that is queued."""
        self._rules.clear()

    def take(self, method: str, account: int | None) -> Fault | None:
        """The fault for this call: the first queued one that applies, if chance will have it."""
        rules = self._rules.get(method, [])
        rule = next((one for one in rules if one.account in (None, account)), None)
        if rule is None or self._random.random() >= rule.probability:
            return None
        if rule.times is not None:
            rule.times -= 1
            if rule.times <= 0:
                rules.remove(rule)
        return rule.fault


class _NoAnswer(Exception):
    """A fault took the call."""


class Dispatch:
    """Carries out calls: at once, or in a task of its own when it has to wait."""

    def __init__(self, faults: CallFaults, open_call: Callable[[Invocation], Call]) -> None:
        """`open_call` gives handlers what they need to know besides the request."""
        self.answering: Session | None = None
        """Whose call is being carried out: that session gets what it causes as the answer, not as a push."""
        self._faults, self._open_call = faults, open_call
        self._waiting: set[asyncio.Task[None]] = set()

    def invoke(self, invocation: Invocation) -> None:
        """Answer a call now, or later when a fault or an earlier call stands in the way."""
        session, name = invocation.session, name_of(type(invocation.request))
        call = self._open_call(invocation)
        session.wants_updates |= invocation.wants_updates
        call.world.calls.add(RpcCall(call.world.clock(), name, call.key.account or 0))
        fault = self._faults.take(name, call.key.account)
        earlier = [session.pending[i] for i in invocation.after if i in session.pending]
        if fault is None and not earlier:
            self._answer(invocation, self._carry_out(call, invocation))
            return
        session.pending[invocation.msg_id] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._wait_and_answer(call, invocation, fault, earlier))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def close(self) -> None:
        """Give up the calls that wait."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    async def _wait_and_answer(
        self, call: Call, invocation: Invocation, fault: Fault | None, earlier: list[asyncio.Future[None]]
    ) -> None:
        try:
            if earlier:
                await asyncio.wait(earlier)
            result = await self._suffer(call, invocation, fault) if fault else self._carry_out(call, invocation)
            self._answer(invocation, result)
        except RpcFail as fail:
            self._answer(invocation, t.RpcError(fail.code, fail.message))
        except _NoAnswer:
            pass
        finally:
            invocation.session.pending.pop(invocation.msg_id).set_result(None)

    async def _suffer(self, call: Call, invocation: Invocation, fault: Fault) -> Any:
        if fault.kind == "error":
            return t.RpcError(fault.code, fault.message)
        if fault.kind == "swallow":
            raise _NoAnswer
        if fault.kind == "drop_before":
            _cut(invocation)
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        if fault.kind == "slow_send":
            await _while_sending(call, invocation.request, fault.seconds)
        result = self._carry_out(call, invocation)
        if fault.kind == "drop_after":
            _cut(invocation)
        return result

    def _carry_out(self, call: Call, invocation: Invocation) -> Any:
        if call.key.dead:
            return t.RpcError(406, "AUTH_KEY_DUPLICATED")
        self.answering = invocation.session
        try:
            return answer(call, invocation.request)
        except RpcFail as fail:
            return t.RpcError(fail.code, fail.message)
        except Unsupported as err:
            call.world.calls.add_unknown(str(err))
            return t.RpcError(400, "INPUT_METHOD_INVALID")
        except Exception as err:  # a mistake in a handler fails this call (and the test), not the data centre
            log.exception("the handler of %s failed", name_of(type(invocation.request)))
            call.world.calls.add_unknown(f"{name_of(type(invocation.request))} failed: {err!r}")
            return t.RpcError(500, "INTERNAL")
        finally:
            self.answering = None

    def _answer(self, invocation: Invocation, result: Any) -> None:
        session = invocation.session
        stowaways, session.stowaways = session.stowaways, []
        for body in stowaways:
            session.push(body)
        session.answer(rpc_result(invocation.msg_id, result))


def _cut(invocation: Invocation) -> None:
    if invocation.session.connection:
        invocation.session.connection.cut()
    raise _NoAnswer


async def _while_sending(call: Call, request: Any, seconds: float) -> None:
    """The random id counts as under way for that long."""
    key = call.me.id, find_peer(call, request.peer).id, request.random_id
    call.world.sending.add(key)
    try:
        await asyncio.sleep(seconds)
    finally:
        call.world.sending.discard(key)
