"""Takes a message in: the gate decides, then message and turn are kept together."""

from services.chassis.errors import InvalidArgument, TimedOut, Unavailable
from services.pipeline import gate, router
from services.pipeline.commands import PAIRING, STOP
from services.pipeline.gate import Verdict
from services.pipeline.metrics import SUBMITTED
from services.pipeline.model import ChatType, Disposition, Message
from services.pipeline.ports import Admission, Messages, People, Person, Renderer


class Submit:
    """The use case behind SubmitMessage. A repeat gets the first answer."""

    def __init__(self, store: Messages, people: People, renderer: Renderer, groups: frozenset[int]) -> None:
        self._store, self._people, self._renderer, self._groups = store, people, renderer, groups

    async def __call__(self, message: Message) -> tuple[Disposition, int | None]:
        """What became of the message, and its turn's id where it has one.

        Raises:
            InvalidArgument: It can never be taken.
            Unavailable: It could not be kept; submit it again.
            Exhausted: Too much waits; submit it again after the time that it says.
        """
        outcome = await self._take(_checked(message))
        SUBMITTED.labels(outcome[0].value).inc()
        return outcome

    async def _take(self, message: Message) -> tuple[Disposition, int | None]:
        if gate.is_served_by_nobody(message):
            return Disposition.IGNORED, None
        if message.edited:
            return await self._store.edit(message, await self._asking(message))
        addressed = await self._is_addressed(message)
        listed = message.address.chat_id in self._groups
        if message.chat_type is not ChatType.PRIVATE and not addressed and not listed:
            return Disposition.IGNORED, None  # nobody has to be asked who this is
        person = await self._people.resolve(message)
        verdict = gate.decide(message.chat_type, person.role, listed=listed, addressed=addressed)
        return await self._admit(message, person, verdict)

    async def _asking(self, message: Message) -> Person | None:
        """Who wants another answer by an edit, and may have one as far as is known."""
        if not gate.asks(message):
            return None
        person = await self._people.resolve(message)
        listed = message.address.chat_id in self._groups
        verdict = gate.decide(message.chat_type, person.role, listed=listed, addressed=True)
        return person if verdict in {Verdict.ANSWER, Verdict.WAIT} else None

    async def _is_addressed(self, message: Message) -> bool:
        if message.chat_type is ChatType.PRIVATE or gate.is_addressed(message):
            return True
        replied = message.reply_to
        return bool(replied) and await self._store.is_ours(message.account, message.address.chat_id, replied)

    async def _admit(self, message: Message, person: Person, verdict: Verdict) -> tuple[Disposition, int | None]:
        match verdict:
            case Verdict.IGNORE:
                return Disposition.IGNORED, None
            case Verdict.CONTEXT:
                return await self._store.accept(message, Admission(Disposition.CONTEXT, person))
            case Verdict.PAIR:
                return await self._pair(message, person)
            case Verdict.ANSWER if router.command_of(message) == router.Command(STOP):
                return await self._store.stop(message, person)
            case _:
                return await self._store.accept(message, Admission(Disposition.QUEUED, person))

    async def _pair(self, message: Message, person: Person) -> tuple[Disposition, int | None]:
        try:
            code = await self._people.pairing_code(message)
        except (Unavailable, TimedOut):
            return await self._store.accept(message, Admission(Disposition.QUEUED, Person()))
        if not code:
            return Disposition.IGNORED, None
        words = self._renderer.render(PAIRING.format(code=code))[0]
        admission = Admission(Disposition.PAIRING, person, at_once=words, keep_text=False)
        return await self._store.accept(message, admission)


def _checked(message: Message) -> Message:
    if not message.address.chat_id:
        raise InvalidArgument("address.chat_id is empty.", field="address.chat_id")
    if message.message_id <= 0:
        raise InvalidArgument("message_id is not above zero.", field="message_id")
    return message
