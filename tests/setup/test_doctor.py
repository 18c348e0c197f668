from __future__ import annotations

from pathlib import Path

import pytest
from aiida.orm import InstalledCode
from aiida_vasp.data.potcar import PotcarGroup

from aiida_dnpmelt.setup import doctor
from aiida_dnpmelt.setup.doctor import check_code, check_codes, check_disk, check_storage, check_vasp
from aiida_dnpmelt.setup.services import check_broker, check_daemon


@pytest.fixture(autouse=True)
def clean(aiida_profile_clean):
    return aiida_profile_clean


@pytest.fixture
def make_code(localhost):
    def make(label: str, executable: str, plugin: str = "dnpmelt.coexistence", prepend_text: str = ""):
        return InstalledCode(
            computer=localhost,
            label=label,
            filepath_executable=executable,
            default_calc_job_plugin=plugin,
            prepend_text=prepend_text,
        ).store()

    return make


def write_program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_codes_of_the_set_up_are_in_order(lmp_code, lmp_deepmd_code, dp_code):
    checks = list(check_codes())
    assert [check.name for check in checks] == [f"code {label}@localhost" for label in ("lmp", "lmp-deepmd", "dp")]
    assert all(check.ok for check in checks)
    assert "deepmd" not in checks[0].message
    assert "deepmd" in checks[1].message


def test_missing_codes_are_told(lmp_code):
    failed = [check for check in check_codes() if not check.ok]
    assert [check.name for check in failed] == ["code lmp-deepmd", "code dp"]
    assert all("pip install aiida-dnpmelt[engines]" in check.remedy for check in failed)


def test_hidden_codes_are_left_out(make_code):
    make_code("broken", "/opt/none/lmp").is_hidden = True
    assert "code broken@localhost" not in [check.name for check in check_codes()]


def test_code_whose_program_is_gone(make_code):
    check = check_code(make_code("lmp", "/opt/removed/lmp"))
    assert not check.ok
    assert "no file /opt/removed/lmp" in check.message
    assert "pip install" in check.remedy


def test_code_that_does_not_start(make_code, tmp_path):
    program = write_program(tmp_path / "lmp of mine", "echo 'libmpi.so.12: cannot open' >&2; exit 127")
    check = check_code(make_code("lmp", program))
    assert not check.ok
    assert check.message == "it ends with status 127: libmpi.so.12: cannot open"
    assert "verdi code show lmp@localhost" in check.remedy


def test_lammps_without_the_pair_styles(make_code, tmp_path):
    program = write_program(tmp_path / "lmp", "echo 'LAMMPS (2 Aug 2023)'; echo 'eam lj/cut'")
    check = check_code(make_code("lmp", program))
    assert not check.ok
    assert check.message == "LAMMPS (2 Aug 2023) lacks the pair styles eam/alloy, eam/fs"
    assert "MANYBODY" in check.remedy


def test_lammps_without_its_plugin(lmp_code, make_code):
    text = lmp_code.prepend_text
    check = check_code(make_code("lmp-deepmd", str(lmp_code.filepath_executable), prepend_text=text))
    assert not check.ok
    assert "lacks the pair styles deepmd" in check.message


def test_without_vasp_nothing_is_wrong():
    (check,) = check_vasp()
    assert check.ok
    assert not check.applies
    assert "not configured" in check.message


def test_vasp_without_program_and_potcar(make_code, tmp_path):
    make_code("vasp", str(tmp_path / "vasp_std"), plugin="vasp.vasp")
    code, potcar = check_vasp()
    assert not code.ok
    assert "no file" in code.message
    assert not potcar.ok
    assert "aiida-vasp potcar uploadfamily" in potcar.remedy

    write_program(tmp_path / "vasp_std", "exit 0")
    PotcarGroup(label="PBE.54").store()
    code, potcar = check_vasp()
    assert code.ok
    assert potcar.ok
    assert potcar.message == "families PBE.54"


def test_storage_opens_and_tells_its_version(clean):
    check = check_storage(clean)
    assert check.ok
    assert clean.storage_backend in check.message


def test_daemon_and_broker_that_run(clean, daemon):
    assert check_daemon(clean).ok
    assert check_daemon(clean).message.endswith("1 worker")
    assert check_broker(clean).ok


def test_daemon_that_does_not_run(clean, stopped_daemon_client):
    check = check_daemon(clean)
    assert not check.ok
    assert "services up" in check.remedy


def test_killed_daemon_counts_as_not_running(clean, stopped_daemon_client):
    Path(stopped_daemon_client.circus_pid_file).write_text("999999")
    check = check_daemon(clean)
    Path(stopped_daemon_client.circus_pid_file).unlink()
    assert check.message == "it does not run"


def test_full_disk(clean, monkeypatch):
    (check,) = check_disk(clean)
    assert check.ok
    monkeypatch.setattr(doctor, "MINIMUM_FREE_GB", 1e9)
    (check,) = check_disk(clean)
    assert not check.ok
    assert "AIIDA_PATH" in check.remedy
