from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aiida_dnpmelt.setup import engines
from aiida_dnpmelt.setup.engines import (
    Engine,
    find_command,
    find_engines,
    find_lammps,
    lammps_potentials,
    shipped_like,
    shipped_potential,
)


def engine(*libraries: str, **variables: str) -> Engine:
    folders = tuple(map(Path, libraries))
    return Engine("lmp", Path("/opt/my programs/lmp"), variables, folders, "dnpmelt.coexistence")


def shell(text: str, variable: str, **environment: str) -> str:
    command = ["bash", "-c", f'{text}\nprintf %s "${variable}"']
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("value", ["/with space/lib", "/it's/lib", '/"$HOME"/`lib`'])
def test_paths_reach_the_job_as_they_are(value):
    text = engine(value, LAMMPS_PLUGIN_PATH=value).prepend_text
    assert shell(text, "LAMMPS_PLUGIN_PATH") == value
    assert shell(text, "LD_LIBRARY_PATH") == value


def test_libraries_go_in_front_of_those_of_the_machine():
    text = engine("/a", "/b").prepend_text
    assert shell(text, "LD_LIBRARY_PATH", LD_LIBRARY_PATH="/cuda") == "/a:/b:/cuda"


def test_colon_in_a_library_folder_is_refused():
    with pytest.raises(ValueError, match="'/a:b' of 'lmp' has a colon"):
        _ = engine("/a:b").prepend_text


def test_every_program_runs_with_one_thread():
    assert all("export OMP_NUM_THREADS=1" in found.prepend_text for found in find_engines())


def test_lammps_is_the_bare_binary_of_the_package():
    found = find_lammps()
    assert found is not None
    assert found.executable.read_bytes()[:4] == b"\x7fELF"
    assert found.executable.parent.name == "lammps"


def test_without_the_package_lammps_is_the_one_on_path(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "_package", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_lammps() is None
    program = tmp_path / "lmp"
    program.touch(mode=0o755)
    found = find_lammps()
    assert found is not None
    assert found.executable == program
    assert found.prepend_text == "export OMP_NUM_THREADS=1"
    assert [engine.label for engine in find_engines()] == ["lmp", "dp"]
    assert lammps_potentials() is None


def test_programs_beside_the_interpreter_come_before_those_on_path(tmp_path, monkeypatch):
    (tmp_path / "dp").touch(mode=0o755)
    (tmp_path / "other").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_command("dp") == Path(sys.executable).parent / "dp"
    assert find_command("other") == tmp_path / "other"
    assert find_command("no-such-program") is None


def test_potential_of_the_package_is_found_by_its_name_alone(potentials_folder):
    assert shipped_potential("Cu_mishin1.eam.alloy") == potentials_folder / "Cu_mishin1.eam.alloy"
    assert shipped_potential("../potentials/Cu_mishin1.eam.alloy") is None
    assert shipped_potential("Cu_mishin2.eam.alloy") is None
    assert shipped_potential("") is None


def test_names_of_the_package_that_may_be_meant():
    assert shipped_like("Cu_mishin2.eam.alloy")[0] == "Cu_mishin1.eam.alloy"
    assert shipped_like("/tmp/cu_MISHIN1.eam.alloy")[0] == "Cu_mishin1.eam.alloy"
    assert "W_zhou.eam.alloy" in shipped_like("W.eam")
    assert shipped_like("nothing-of-the-kind.txt") == []
