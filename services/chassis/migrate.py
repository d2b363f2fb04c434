"""Brings a service's schema up to date: Alembic's revisions from the service's `migrations` package, run in place.

Revisions only expand, so that the version before still reads what this one wrote.
"""

from pathlib import Path
from types import ModuleType

import sqlalchemy
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

KEY = sqlalchemy.BigInteger().with_variant(sqlalchemy.Integer, "sqlite")
"""The type of a numbered row's id: SQLite counts up by itself only where the type is INTEGER."""


def upgrade(database: Path, migrations: ModuleType) -> None:
    """Apply every revision that is missing, all or none. Running it again changes nothing."""
    folder = str(Path(str(migrations.__file__)).parent)
    config = Config()
    config.set_main_option("script_location", folder)
    config.set_main_option("version_locations", folder)
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    engine = sqlalchemy.create_engine(
        f"sqlite:///{database}", poolclass=sqlalchemy.pool.NullPool, connect_args={"isolation_level": None}
    )
    # Python's driver would begin no transaction before CREATE TABLE; without its help, SQLAlchemy's begin is one.
    sqlalchemy.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with (
        engine.connect() as connection,
        EnvironmentContext(config, scripts, fn=lambda have, _: scripts._upgrade_revs("head", have)) as environment,  # noqa: SLF001
    ):
        environment.configure(connection=connection, transactional_ddl=True)
        with environment.begin_transaction():
            environment.run_migrations()
        connection.commit()
