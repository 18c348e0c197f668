"""Settings of a job that computes properties of a crystal with a potential in LAMMPS."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Part = Literal["equation_of_state", "elastic", "vacancy", "atom", "release"]
PARTS: tuple[Part, ...] = get_args(Part)
"""What can be computed beside the relaxed crystal, in the order of the job."""


class PropertiesSettings(BaseModel):
    """What is computed of a crystal at zero pressure and zero temperature, and how finely.

    The crystal is relaxed first: one length of a cubic one, a and c of an hcp one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    parts: tuple[Part, ...] = Field(
        PARTS,
        description="What is computed beside the relaxed crystal: `equation_of_state`, `elastic`, `vacancy`, `atom` "
        "(the free atom), `release` (the crystal with displaced atoms and a cell that may take any shape).",
    )
    volumes: int = Field(9, ge=5, le=51, description="Number of volumes of the equation of state.")
    volume_range: float = Field(
        0.04, gt=0.001, le=0.3, description="Largest change of the volume, relative to that of the relaxed crystal."
    )
    axial_ratios: int = Field(5, ge=3, le=21, description="Number of ratios c/a at each volume; of hcp crystals only.")
    axial_range: float = Field(0.02, gt=0.0005, le=0.2, description="Largest relative change of c/a.")
    strain: float = Field(
        0.002, ge=1e-5, le=0.05, description="Each of the six strains is applied with both signs; shears as angles."
    )
    minimum_atoms: int = Field(
        200,
        ge=8,
        le=1_000_000,
        description="Least number of atoms of the cell with a vacancy, and of the released one.",
    )
    displacement_angstrom: float = Field(
        0.05, gt=0, le=1, description="Largest displacement of the atoms along each axis before they are released."
    )
    atom_box_angstrom: float = Field(
        30.0, ge=5, le=1000, description="Edge of the box of the free atom; at least three times the cutoff is taken."
    )
    force_tolerance_ev_per_angstrom: float = Field(
        1e-6, gt=0, le=0.1, description="Forces of all atoms together at which a relaxation ends, in eV/Angstrom."
    )
    release_tolerance_ev_per_angstrom: float = Field(
        1e-3, gt=0, le=0.1, description="The same of the released crystal, whose phase is looked at, in eV/Angstrom."
    )
    maximum_steps: int = Field(2000, ge=10, le=1_000_000, description="Most steps of a relaxation.")
    relaxations: int = Field(
        4, ge=1, le=50, description="How often the cell is relaxed, each time from where the last one ended."
    )

    @model_validator(mode="after")
    def _different(self) -> PropertiesSettings:
        if len(set(self.parts)) < len(self.parts):
            raise ValueError(f"parts: {', '.join(self.parts)} has one more than once")
        if self.volumes % 2 == 0 or self.axial_ratios % 2 == 0:
            raise ValueError("volumes and axial_ratios must be odd, so that the relaxed crystal is one of them")
        return self

    def has(self, part: Part) -> bool:
        """Tell whether a part is computed."""
        return part in self.parts

    def volume_factors(self) -> NDArray[np.float64]:
        """Return the volumes of the equation of state over that of the relaxed crystal, shape (volumes,)."""
        return 1 + np.linspace(-self.volume_range, self.volume_range, self.volumes)

    def axial_factors(self, lattice: str) -> NDArray[np.float64]:
        """Return the ratios c/a at each volume over that of the relaxed crystal: 1 for a cubic one."""
        if lattice != "hcp":
            return np.ones(1)
        return 1 + np.linspace(-self.axial_range, self.axial_range, self.axial_ratios)

    def strains(self) -> NDArray[np.float64]:
        """Return the strains in Voigt's order xx, yy, zz, yz, xz, xy, shears as angles, shape (12, 6)."""
        return np.kron(np.eye(6), np.array([[self.strain], [-self.strain]])) + 0.0  # no -0
