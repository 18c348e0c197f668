"""Settings of cohesive energies from VASP."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from aiida_dnpmelt.calculations.vasp_settings import OWN_TAGS, VaspSettings, unknown_tags

SHARED_TAGS = frozenset({"encut", "prec", "gga", "metagga", "ivdw", "lasph", "addgrid", "ispin", "isym"})
"""Tags that the free atom cannot have by itself: the energies of both would not belong together, or spin is fixed."""
LEAST_DIFFERENCE = 0.5
"""Least difference of the edges of the box of the free atom in Angstrom, so that no symmetry holds its orbitals."""


class VaspCohesiveSettings(BaseModel):
    """How VASP computes a cohesive energy: static runs of the crystal at several volumes, and one of the free atom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bulk: VaspSettings = Field(description="Runs of the crystal, see VaspSettings.")
    atom_incar: dict[str, bool | int | float | str] = Field(
        default_factory=dict,
        description="Tags of the free atom over those of the crystal, such as ISMEAR and SIGMA. ISPIN = 2 and ISYM = 0 "
        "are set; ENCUT and whatever else fixes the zero of energy is that of the crystal.",
    )
    atom_box_angstrom: tuple[float, float, float] = Field(
        (14.0, 15.0, 16.0), description="Edges of the box of the free atom: three different ones of 8 to 40 Angstrom."
    )
    atom_magnetic_moment_mu_b: float | None = Field(
        None,
        ge=0,
        le=10,
        description="First moment of the free atom in Bohr magnetons; that of Hund's rules if not given.",
    )
    volumes: int = Field(7, ge=5, le=51, description="Number of volumes of the crystal.")
    volume_range: float = Field(0.06, gt=0.001, le=0.3, description="Largest relative change of the given volume.")
    axial_ratios: int = Field(3, ge=3, le=21, description="Number of ratios c/a at each volume; of hcp crystals only.")
    axial_range: float = Field(0.02, gt=0.0005, le=0.2, description="Largest relative change of c/a.")

    @model_validator(mode="after")
    def _fitting(self) -> VaspCohesiveSettings:
        edges = sorted(self.atom_box_angstrom)
        if not (edges[0] >= 8 and edges[-1] <= 40 and min(np.diff(edges)) >= LEAST_DIFFERENCE):
            raise ValueError(
                f"atom_box_angstrom: {list(self.atom_box_angstrom)} must be three edges of 8 to 40 Angstrom that "
                f"differ by {LEAST_DIFFERENCE} or more"
            )
        fixed = sorted(tag for tag in self.atom_incar if tag.lower() in SHARED_TAGS | OWN_TAGS)
        if fixed:
            raise ValueError(
                f"atom_incar: {', '.join(fixed)} must be those of the crystal, or are made from other inputs"
            )
        unknown = unknown_tags(self.atom_incar)
        if unknown:
            raise ValueError(f"atom_incar: {', '.join(unknown)} are no tags of VASP that aiida-vasp knows")
        return self

    def atom_tags(self, moment: float) -> dict[str, Any]:
        """Return the tags of the free atom with a first moment in Bohr magnetons."""
        own = {name.lower(): value for name, value in self.atom_incar.items()}
        fixed = {"ispin": 2, "isym": 0, "ibrion": -1, "nsw": 0, "magmom": f"{moment:g}"}
        return {**self.bulk.tags, **own, **fixed}

    def factors(self, lattice: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return volumes and ratios c/a over those of the given crystal, each of shape (volumes, ratios)."""
        ratios = np.ones(1)
        if lattice == "hcp":
            ratios = 1 + np.linspace(-self.axial_range, self.axial_range, self.axial_ratios)
        volumes = 1 + np.linspace(-self.volume_range, self.volume_range, self.volumes)
        volume, ratio = np.meshgrid(volumes, ratios, indexing="ij")
        return volume, ratio
