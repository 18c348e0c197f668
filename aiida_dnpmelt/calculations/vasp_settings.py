"""Settings of runs of VASP that label frames."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

OWN_TAGS = frozenset({"ibrion", "nsw", "potim", "tebeg", "teend", "magmom", "kspacing", "kgamma"})
"""Tags that are made from other inputs, and would contradict them."""


class VaspSettings(BaseModel):
    """How VASP computes a label."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    incar: dict[str, bool | int | float | str] = Field(
        description="Tags of the INCAR, but for those that other inputs stand for: IBRION, NSW, POTIM, TEBEG, TEEND, "
        "MAGMOM, KSPACING, KGAMMA."
    )
    kpoints_spacing_per_angstrom: float = Field(
        0.24, gt=0.01, le=10, description="Largest distance of k-points in 1/Angstrom, as KSPACING: 2 pi is in it."
    )
    gamma_centred: bool = Field(True, description="Whether the mesh of k-points holds Gamma; as KGAMMA.")
    magnetic_moment_mu_b: float = Field(
        0.6,
        ge=0,
        le=10,
        description="First magnetic moment of atoms in Bohr magnetons, where the table of the elements has none; used "
        "with ISPIN = 2, which is set for elements that have one there.",
    )

    @model_validator(mode="after")
    def _tags(self) -> VaspSettings:
        own = sorted(tag for tag in self.incar if tag.lower() in OWN_TAGS)
        if own:
            raise ValueError(f"incar: {', '.join(own)} are made from other inputs and must not be given")
        unknown = unknown_tags(self.incar)
        if unknown:
            raise ValueError(f"incar: {', '.join(unknown)} are no tags of VASP that aiida-vasp knows")
        return self

    @property
    def tags(self) -> dict[str, Any]:
        """Return the tags in the small letters of aiida-vasp."""
        return {name.lower(): value for name, value in self.incar.items()}


def unknown_tags(incar: dict[str, Any]) -> list[str]:
    """Return the names that are no tags of the INCAR."""
    from aiida_vasp.assistant.parameters import ParametersMassage

    unknown = []
    for name, value in incar.items():
        try:
            ParametersMassage({"incar": {name.lower(): value}})
        except Exception:  # whatever aiida-vasp raises for a tag that it does not know
            unknown.append(name)
    return sorted(unknown)
