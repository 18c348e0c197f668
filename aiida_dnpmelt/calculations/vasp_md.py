"""Run molecular dynamics, or one static step, in VASP from given velocities."""

from __future__ import annotations

from pathlib import Path

from aiida import orm
from aiida.engine import CalcJobProcessSpec
from aiida_vasp.calcs.vasp import VaspCalculation

from aiida_dnpmelt.calculations.validators import guard_job

VELOCITIES = "velocities"


class VaspMdCalculation(VaspCalculation):
    """The job of aiida-vasp, with the velocities of the atoms as an input: they go into the POSCAR.

    VASP draws them itself where it is given none, and every run of the same inputs is another one.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare the velocities beside what aiida-vasp declares."""
        super().define(spec)
        guard_job(spec, "VASP")
        spec.input(
            VELOCITIES,
            valid_type=orm.ArrayData,
            required=False,
            help="Array `velocities`: of the atoms of the structure in Angstrom/fs, shape (n, 3).",
        )

    def write_poscar(self, dst: str) -> None:
        """Write the POSCAR, and the velocities after the positions."""
        super().write_poscar(dst)
        if VELOCITIES not in self.inputs:
            return
        velocities = self.inputs.velocities.get_array(VELOCITIES)
        lines = "".join("".join(f" {value:22.15E}" for value in row) + "\n" for row in velocities)
        poscar = Path(dst)
        poscar.write_text(f"{poscar.read_text(encoding='utf-8').rstrip()}\n\n{lines}", encoding="utf-8")
