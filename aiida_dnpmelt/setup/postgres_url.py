"""A database on a PostgreSQL server that somebody else runs."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from .messages import sentence
from .postgres_programs import PostgresError

FORM = "postgresql://user:password@host:port/database"
NEEDED = {"user": "user", "dbname": "database"}


def storage_config(url: str) -> dict[str, Any]:
    """Return the storage configuration of AiiDA, without the repository, that `url` stands for.

    :raises PostgresError: if `url` is not of the right form.
    """
    if not url.startswith(("postgresql://", "postgres://")):
        scheme = url.partition(":")[0]
        raise PostgresError(f"the URL of a PostgreSQL server has the form {FORM}, not '{scheme}:...'")
    try:
        parts = conninfo_to_dict(url)
        port = int(parts.get("port") or 5432)
    except (psycopg.Error, ValueError) as exception:
        raise PostgresError(f"the URL of a PostgreSQL server has the form {FORM}: {exception}") from exception
    missing = [word for key, word in NEEDED.items() if not parts.get(key)]
    if missing:
        raise PostgresError(f"the URL lacks {' and '.join(missing)}: its form is {FORM}")
    return {
        "database_engine": "postgresql_psycopg",
        "database_hostname": parts.get("host") or "localhost",
        "database_port": port,
        "database_username": parts["user"],
        "database_password": parts.get("password") or "",
        "database_name": parts["dbname"],
    }


def check_empty_database(config: dict[str, Any]) -> None:
    """Check that a profile can be made in the database.

    :raises PostgresError: if it cannot be reached, is missing, not in UTF8, or not empty.
    """
    name, server = config["database_name"], f"{config['database_hostname']}:{config['database_port']}"
    try:
        with psycopg.connect(
            host=config["database_hostname"],
            port=config["database_port"],
            user=config["database_username"],
            password=config["database_password"],
            dbname=name,
            connect_timeout=10,
        ) as connection:
            encoding = connection.execute("SHOW server_encoding").fetchone()
            tables = connection.execute(
                "SELECT schemaname || '.' || tablename FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1 LIMIT 3"
            ).fetchall()
    except psycopg.Error as exception:
        raise PostgresError(
            f"database '{name}' on {server} cannot be opened: {sentence(exception)}: check the URL; a missing database "
            f"is made with `createdb --encoding=UTF8 --locale=C --template=template0 {name}`"
        ) from exception
    if encoding != ("UTF8",):
        raise PostgresError(f"database '{name}' on {server} is encoded in {encoding and encoding[0]}: make one in UTF8")
    if tables:
        found = ", ".join(row[0] for row in tables)
        raise PostgresError(f"database '{name}' on {server} is not empty, it has the tables {found}: name an empty one")
