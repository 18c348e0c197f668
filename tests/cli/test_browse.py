from __future__ import annotations

import socket
import sys
from signal import SIGHUP, SIGINT, SIGTERM
from urllib.request import urlopen

import pytest
from browse.servers import serving
from click.testing import CliRunner
from provenance.stored_points import store

from aiida_dnpmelt.cli import main

pytest.importorskip("starlette", reason="the pages need the extra [browse]")


def test_pages_are_served_until_ctrl_c(aiida_profile_clean):
    store()
    with serving(aiida_profile_clean.name) as server:
        assert server.address.startswith("http://127.0.0.1:")
        with urlopen(f"{server.address}/", timeout=30) as answer:
            assert "1326(5)" in answer.read().decode()
        assert server.end() == (0, " ended\n")


@pytest.mark.parametrize(
    ("number", "ignored"),
    [(SIGTERM, ()), (SIGHUP, ()), (SIGINT, (SIGINT,)), (SIGTERM, (SIGINT, SIGHUP))],
    ids=["kill", "terminal-closed", "ctrl-c-ignored", "nohup"],
)
def test_end_is_the_same_however_it_is_started_and_ended(aiida_profile, number, ignored):
    with serving(aiida_profile.name, ignored=ignored) as server:
        with urlopen(f"{server.address}/static/browse.css", timeout=30) as answer:
            assert answer.status == 200
        assert server.end(number) == (0, " ended\n")


def test_nohup_outlives_the_terminal(aiida_profile):
    with serving(aiida_profile.name, ignored=(SIGHUP,)) as server:
        server.process.send_signal(SIGHUP)
        with urlopen(f"{server.address}/static/browse.css", timeout=30) as answer:
            assert answer.status == 200
        assert server.end() == (0, " ended\n")


def test_port_that_is_taken_is_named(aiida_profile):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["browse", "--port", str(port), "-p", aiida_profile.name])
    assert result.exit_code == 1
    assert f"--port: {port} cannot be listened on" in result.output


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_port_out_of_range_is_refused(aiida_profile, port):
    result = CliRunner().invoke(main, ["browse", "--port", port, "-p", aiida_profile.name])
    assert result.exit_code == 2
    assert "Invalid value for '--port'" in result.output


def test_unknown_profile_is_named(aiida_profile):
    result = CliRunner().invoke(main, ["browse", "-p", "nowhere"])
    assert result.exit_code == 1
    assert "nowhere" in result.output


@pytest.mark.parametrize("module", ["starlette", "plotly", "uvicorn"])
def test_missing_extra_is_named(aiida_profile, monkeypatch, module):
    for name in [
        name for name in sys.modules if name.split(".")[0] == module or name.startswith("aiida_dnpmelt.browse")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    result = CliRunner().invoke(main, ["browse", "-p", aiida_profile.name])
    assert result.exit_code == 1
    assert "pip install 'aiida-dnpmelt[browse]'" in result.output
