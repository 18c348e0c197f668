from __future__ import annotations

import socket
import sys
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
