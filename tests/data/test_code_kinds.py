from __future__ import annotations

import pytest
from aiida import orm

from aiida_dnpmelt.data.code_kinds import program_of, wrong_program


@pytest.fixture
def code(localhost):
    """Give a function that makes a code, not stored."""

    def make(program: str, plugin: str | None = None) -> orm.InstalledCode:
        return orm.InstalledCode(
            computer=localhost, filepath_executable=program, label="some", default_calc_job_plugin=plugin
        )

    return make


@pytest.mark.parametrize(
    ("program", "plugin", "found"),
    [
        ("/opt/bin/lmp", None, "LAMMPS"),
        ("/opt/bin/lmp_mpi", None, "LAMMPS"),
        ("/opt/lammps-2Aug/run-LAMMPS.sh", None, "LAMMPS"),
        ("/opt/bin/dp", None, "DeePMD-kit"),
        ("/opt/bin/vasp_std", None, "VASP"),
        ("vasp.6.4.gam", None, "VASP"),
        ("/opt/bin/dp", "dnpmelt.coexistence", "DeePMD-kit"),
        ("/opt/bin/start.sh", "dnpmelt.coexistence", "LAMMPS"),
        ("/opt/bin/start.sh", "dnpmelt.deepmd_show", "DeePMD-kit"),
        ("/opt/bin/start.sh", "dnpmelt.vasp_md", "VASP"),
        ("/opt/bin/start.sh", "vasp.vasp", "VASP"),
        ("/opt/bin/start.sh", "lammps.base", "LAMMPS"),
        ("/opt/bin/pw.x", "quantumespresso.pw", "jobs of quantumespresso.pw"),
        ("/opt/bin/start.sh", None, None),
        ("/opt/bin/start.sh", "core.arithmetic.add", None),
        ("/opt/dp/lmp/start.sh", None, None),
        ("/opt/bin/update", None, None),
    ],
)
def test_what_a_code_runs_is_told_by_its_program_then_by_its_job(code, program, plugin, found):
    assert program_of(code(program, plugin)) == found


def test_codes_of_the_set_up_run_what_they_are_for(lmp_code, lmp_deepmd_code, dp_code):
    assert [program_of(each) for each in (lmp_code, lmp_deepmd_code, dp_code)] == ["LAMMPS", "LAMMPS", "DeePMD-kit"]


def test_another_program_is_told_with_its_path(code):
    assert wrong_program(code("/opt/dp"), "LAMMPS") == "'some@localhost' runs DeePMD-kit (/opt/dp), LAMMPS is needed"
    assert wrong_program(code("/opt/dp"), "DeePMD-kit") is None
    assert wrong_program(code("/opt/anything"), "VASP") is None
