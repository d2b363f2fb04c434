"""Tries again what a dead letter holds, once, however often and by how many it is asked for."""

from collections.abc import Awaitable, Callable

from services.chassis.errors import WrongState
from services.pipeline.model import Disposition, Message
from services.pipeline.outcome import LetterKind
from services.pipeline.ports import Letters

Submit = Callable[[Message], Awaitable[tuple[Disposition, int | None]]]


class Replay:
    """The use case behind ReplayDeadLetter. `read`: the message in a submission that a channel reported."""

    def __init__(self, letters: Letters, submit: Submit, read: Callable[[bytes], Message]) -> None:
        self._letters, self._submit, self._read = letters, submit, read

    async def __call__(self, letter_id: int) -> int | None:
        """The turn that answers now, if there is one.

        Raises:
            NotFound: There never was such a letter.
            WrongState: It was dropped, or nothing can be made of it.
        """
        found = await self._letters.open_letter(letter_id)
        if found is None or found.letter.kind is not LetterKind.UPDATE:
            return await self._letters.replay_letter(letter_id)
        if found.submission is None:
            raise WrongState("This update could not be read; there is nothing to replay.", reason="UPDATE_UNREADABLE")
        _, turn_id = await self._submit(self._read(found.submission))  # a repeat returns the first answer
        return await self._letters.replay_letter(letter_id, turn_id)
