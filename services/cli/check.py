"""Looks at all settings before anything starts: a name that nobody reads, a value that nobody can use."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module

from services.chassis import settings
from services.chassis.errors import SettingsError
from services.chassis.settings import ProcessSettings
from services.cli.plan import SERVICES

OURS = "VALOR_"
ALIKE = 0.85
"""How alike a name has to be to pass for a misspelt one. Other programs have settings that begin like ours."""


def check(names: Iterable[str]) -> None:
    """Check the names of the environment, and the values that the services read from it.

    Raises:
        SettingsError: One is wrong.
    """
    kinds = [_kind(name) for name in SERVICES]
    known = {settings.environment_name(kind, field) for kind in kinds for field in kind.model_fields}
    for name in names:
        _check_name(name, known)
    for kind in kinds:
        settings.load(kind)


def _kind(service: str) -> type[ProcessSettings]:
    kind: type[ProcessSettings] = import_module(f"services.{service}.settings").Settings
    return kind


def _check_name(name: str, known: set[str]) -> None:
    prefixes = (OURS, *(f"{service.upper()}_" for service in SERVICES))
    if name in known or not name.startswith(prefixes):
        return
    ours = name.startswith(OURS)
    alike = {other.removeprefix(OURS): other for other in known}
    if meant := get_close_matches(name.removeprefix(OURS), alike, n=1, cutoff=0.6 if ours else ALIKE):
        raise SettingsError(f"{name} is no setting of Valor: did you mean {alike[meant[0]]}?")
    if ours:
        raise SettingsError(f"{name} is no setting of Valor: README.md lists them.")
