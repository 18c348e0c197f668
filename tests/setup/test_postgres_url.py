from __future__ import annotations

import pytest

from aiida_dnpmelt.setup.postgres_programs import PostgresError
from aiida_dnpmelt.setup.postgres_url import storage_config


def test_all_parts_are_read_and_decoded():
    assert storage_config("postgresql://us%40er:p%23w@db.example.org:5433/melt") == {
        "database_engine": "postgresql_psycopg",
        "database_hostname": "db.example.org",
        "database_port": 5433,
        "database_username": "us@er",
        "database_password": "p#w",
        "database_name": "melt",
    }


def test_what_may_be_left_out_has_a_default():
    config = storage_config("postgres://me@/melt")
    assert (config["database_hostname"], config["database_port"], config["database_password"]) == (
        "localhost",
        5432,
        "",
    )


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://a@b/c", r"has the form postgresql://user:password@host:port/database, not 'mysql:\.\.\.'"),
        ("postgresql://a@b:port/c", "has the form .*port"),
        ("postgresql://b/c", "the URL lacks user: its form"),
        ("postgresql://b", "the URL lacks user and database"),
    ],
)
def test_url_of_another_form_is_refused(url, message):
    with pytest.raises(PostgresError, match=message):
        storage_config(url)
