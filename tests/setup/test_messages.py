from __future__ import annotations

import socket

import psycopg
import pytest

from aiida_dnpmelt.setup.messages import sentence

REFUSED = (
    'connection failed: connection to server at "127.0.0.1", port 5432 failed: Connection refused\n'
    "\tIs the server running on that host and accepting TCP/IP connections?"
)
SENTENCE = (
    'connection failed: connection to server at "127.0.0.1", port 5432 failed: Connection refused. '
    "Is the server running on that host and accepting TCP/IP connections?"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (REFUSED, SENTENCE),
        (f"{REFUSED}\n\n", SENTENCE),
        (
            f"(psycopg.OperationalError) {REFUSED}\n(Background on this error at: https://sqlalche.me/e/20/e3q8)",
            SENTENCE,
        ),
        ("one\r\n\ttwo:\n  three.", "one. two: three"),
        ("plain", "plain"),
        ("", ""),
        (ValueError("a  b"), "a b"),
    ],
)
def test_messages_are_one_line(text, expected):
    assert sentence(text) == expected


def test_what_the_driver_says_of_a_server_that_is_down_is_a_sentence():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(host="127.0.0.1", port=port, user="a", dbname="b", connect_timeout=5)
    told = sentence(caught.value)
    assert "refused. Is the server running" in told
    assert not set("\t\n") & set(told)


def test_setup_tells_of_a_server_that_is_down_in_one_sentence(tmp_path, monkeypatch):
    from aiida_dnpmelt.setup.postgres import PostgresError
    from aiida_dnpmelt.setup.postgres_url import check_empty_database, storage_config

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(PostgresError) as caught:
        check_empty_database(storage_config(f"postgresql://a:b@127.0.0.1:{port}/c"))
    assert not set("\t\n") & set(str(caught.value))
