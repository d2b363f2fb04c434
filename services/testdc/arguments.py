"""Arguments of a request to the control port: read one by one; a refusal names the field."""

import enum
import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from services.testdc.api.render import entity_tl
from services.testdc.entities import TYPES
from services.testdc.model import Account, Entity, Group, Peer, Post, RpcFail
from services.testdc.world import World

T = TypeVar("T")
U = TypeVar("U")
_NAMES: dict[type, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


class Invalid(Exception):
    """A request that cannot be carried out: an UPPER_SNAKE reason and a plain sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class _Missing(enum.Enum):
    MISSING = enum.auto()


MISSING = _Missing.MISSING


class Arguments:
    """The fields of one request, over the world they speak of; every method raises Invalid for a bad field.

    A field that is null counts as missing, and a missing one is refused unless there is a default.
    """

    def __init__(self, world: World, fields: dict[str, Any]) -> None:
        self._world, self._fields = world, fields

    def get(self, name: str, kind: type[T], default: U | _Missing = MISSING) -> T | U:
        """A value of a JSON type: str, int, float, bool, list or dict."""
        value = self._fields.get(name)
        if value is not None:
            return _checked(name, value, kind)
        if isinstance(default, _Missing):
            raise Invalid("FIELD_MISSING", f'the field "{name}" is missing')
        return default

    def several(self, name: str, kind: type[T]) -> list[T]:
        """A list of such values, empty if it is missing."""
        return [_checked(name, value, kind) for value in self.get(name, list, [])]

    def choice(self, name: str, allowed: Sequence[str], default: U | _Missing = MISSING) -> Any:
        """One of these strings."""
        value = self.get(name, str, default)
        if value != default and value not in allowed:
            raise Invalid("FIELD_INVALID", f'the field "{name}" has to be one of: {", ".join(allowed)}')
        return value

    def within(self, name: str) -> list["Arguments"]:
        """A list of objects, each with fields of its own."""
        return [Arguments(self._world, fields) for fields in self.several(name, dict)]

    # -- what the values name ---------------------------------------------------------------------------------------
    def account(self, name: str) -> Account:
        """The account of this id."""
        return _found(name, self._world.people.account, self.get(name, int))

    def account_or_all(self, name: str) -> Account | None:
        """The account of this id, or None if the field is missing."""
        return self.account(name) if self._fields.get(name) is not None else None

    def accounts(self, name: str) -> list[Account]:
        """The accounts of these ids."""
        return [_found(name, self._world.people.account, one) for one in self.several(name, int)]

    def group(self, name: str) -> Group:
        """The group of this marked id."""
        return _found(name, self._world.people.group, self.get(name, int))

    def peer(self, name: str) -> Peer:
        """The account or group of this marked id."""
        return _found(name, self._world.people.peer, self.get(name, int))

    def post(self, name: str) -> Post:
        """The post of this id."""
        return _found(name, self._world.posts.get, self.get(name, int))

    def post_or_none(self, name: str) -> Post | None:
        """The post of this id, or None if the field is missing."""
        return self.post(name) if self._fields.get(name) is not None else None

    def posts(self, name: str) -> list[Post]:
        """The posts of these ids."""
        return [_found(name, self._world.posts.get, one) for one in self.several(name, int)]

    def entities(self, name: str) -> list[Entity]:
        """Entities that have a TL form."""
        entities = self.several(name, dict)
        for entity in entities:
            Arguments(self._world, entity).choice("type", sorted(TYPES))
            try:
                bytes(entity_tl(entity))
            except (TypeError, AttributeError, struct.error) as err:
                raise Invalid("FIELD_INVALID", f'the field "{name}" contains a wrong entity: {err}') from err
        return entities


def _checked(name: str, value: Any, kind: type[T]) -> T:
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise Invalid("FIELD_INVALID", f'the field "{name}" has to be {_NAMES[kind]}')
    _check_range(name, value)
    return value


def _check_range(name: str, value: Any) -> None:
    """What JSON can say and the world cannot keep."""
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise Invalid("FIELD_INVALID", f'the field "{name}" is too large a number')
    if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
        raise Invalid("FIELD_INVALID", f'the field "{name}" contains half of a surrogate pair')


def _found(name: str, find: Callable[[int], T], marked_id: int) -> T:
    try:
        return find(marked_id)
    except RpcFail as fail:
        raise Invalid(fail.message, f'the field "{name}" names nothing that exists: {marked_id}') from fail
