"""Brings a service's schema up to date: Alembic's revisions from the service's `migrations` package, run in place.

Revisions only expand, so that the version before still reads what this one wrote, and may start beside it.
"""

import threading
from pathlib import Path
from types import ModuleType

import sqlalchemy
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import RevisionStep
from alembic.script import ScriptDirectory

KEY = sqlalchemy.BigInteger().with_variant(sqlalchemy.Integer, "sqlite")
"""The type of a numbered row's id: SQLite counts up by itself only where the type is INTEGER."""

_ALEMBIC = threading.Lock()
"""Alembic works on one database at a time in a process: its context is a module."""


def upgrade(engine: sqlalchemy.Engine, migrations: ModuleType) -> None:
    """Apply every revision that is missing, all or none. Running it again changes nothing, nor does a newer schema."""
    folder = str(Path(str(migrations.__file__)).parent)
    config = Config()
    config.set_main_option("script_location", folder)
    config.set_main_option("version_locations", folder)
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}

    def missing(have: tuple[str, ...], _: object) -> list[RevisionStep]:
        if not known.issuperset(have):
            return []  # a later version was here: it only added
        return list(scripts._upgrade_revs("head", have))  # type: ignore[arg-type] # noqa: SLF001

    with (
        _ALEMBIC,
        engine.connect() as connection,
        EnvironmentContext(config, scripts, fn=missing) as environment,
    ):
        connection.begin()
        environment.configure(connection=connection, transactional_ddl=True)
        with environment.begin_transaction():
            environment.run_migrations()
        connection.commit()
