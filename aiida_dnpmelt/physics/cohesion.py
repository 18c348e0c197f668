"""Melting temperatures from cohesive energies.

Relations of C. M. Andolina and W. A. Saidi, Digital Discovery 3, 1421 (2024), equations (1) to (6): T_m is proportional
to the cohesive energy, with a slope and an offset for each group of the periodic table. In print, the relations of the
alkali and of the alkaline earth metals are exchanged: fitted to the same data, the one is the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from ase.units import kB
from scipy.stats import t as student

Choice = Literal["corrected", "as_printed", "all"]
RELATIONS: tuple[str, ...] = get_args(Choice)
"""`corrected`: each group by its own relation, with (2) and (3) exchanged; `as_printed`: not exchanged; `all`: (1)."""


@dataclass(frozen=True)
class Relation:
    """A line T_m = slope E_coh / k_B + offset.

    :param slope: no unit.
    :param offset_k: in K.
    """

    equation: int
    slope: float
    offset_k: float

    def temperature_k(self, cohesive_energy_ev: float) -> float:
        """Return T_m in K of a cohesive energy in eV/atom."""
        return self.slope * cohesive_energy_ev / kB + self.offset_k


ALL = Relation(1, 0.032, 0.0)
PRINTED: Mapping[str, Relation] = {
    "alkali": Relation(2, 0.0293, 430.0),
    "alkaline_earth": Relation(3, 0.0156, 162.0),
    "d_block": Relation(4, 0.0346, 0.0),
    "p_block": Relation(5, 0.0351, -204.0),
    "noble_gas": Relation(6, 0.0873, 0.0),
}
"""The relations of the groups as they are printed, by the names of the table of the elements."""
LARGEST_EV = 20.0
"""Cohesive energy in eV/atom above which no element is."""
FEWEST_ELEMENTS = 3
"""Elements that a line with errors needs."""


def relation_of(group: str, mapping: str = "corrected") -> Relation:
    """Return the relation of a group.

    :raises ValueError: for an unknown mapping, or a group that has no relation.
    """
    if mapping not in RELATIONS:
        raise ValueError(f"mapping is '{mapping}', it can be one of {', '.join(RELATIONS)}")
    if mapping == "all":
        return ALL
    if group not in PRINTED:
        raise ValueError(f"group is '{group}', there are relations of {', '.join(PRINTED)}")
    exchanged = {"alkali": "alkaline_earth", "alkaline_earth": "alkali"}
    return PRINTED[exchanged.get(group, group) if mapping == "corrected" else group]


def melting_temperature_k(cohesive_energy_ev: float, group: str, mapping: str = "corrected") -> float:
    """Return T_m in K of a cohesive energy in eV/atom.

    :raises ValueError: as `relation_of`, or if the energy is not between 0 and `LARGEST_EV`.
    """
    if not 0 < cohesive_energy_ev <= LARGEST_EV:
        raise ValueError(
            f"cohesive_energy: {cohesive_energy_ev:g} eV/atom is outside the allowed range 0 < cohesive_energy <= "
            f"{LARGEST_EV:g}: give the energy that is gained, as a positive number"
        )
    return relation_of(group, mapping).temperature_k(cohesive_energy_ev)


@dataclass(frozen=True)
class Fit:
    """A line that was fitted to elements, with standard uncertainties.

    :param residual_k: standard deviation of T_m about the line in K, with the degrees of freedom.
    :param r_squared: about the mean; of a line through the origin, about zero, as the publication has it.
    :param number: of elements.
    """

    slope: float
    slope_uncertainty: float
    offset_k: float
    offset_uncertainty_k: float
    covariance_k: float
    residual_k: float
    r_squared: float
    number: int

    def temperature_k(self, cohesive_energy_ev: float) -> tuple[float, float]:
        """Return T_m in K of another element, and the half-width of the interval that holds it with 95 %.

        The interval has the scatter of single elements about the line in it, and the uncertainty of the line.
        """
        x = cohesive_energy_ev / kB
        line = (self.slope_uncertainty * x) ** 2 + self.offset_uncertainty_k**2 + 2 * self.covariance_k * x
        freedom = self.number - (2 if self.offset_uncertainty_k else 1)
        width = float(student.ppf(0.975, freedom)) * float(np.sqrt(line + self.residual_k**2))
        return self.slope * x + self.offset_k, width


def fit(cohesive_energies_ev: Sequence[float], temperatures_k: Sequence[float], through_origin: bool = False) -> Fit:
    """Return the line through elements by least squares.

    :param cohesive_energies_ev: in eV/atom.
    :param temperatures_k: melting temperatures in K.
    :raises ValueError: if there are fewer than three elements, or the numbers of both differ.
    """
    if len(cohesive_energies_ev) != len(temperatures_k) or len(temperatures_k) < FEWEST_ELEMENTS:
        counted = f"{len(cohesive_energies_ev)} energies and {len(temperatures_k)} temperatures"
        raise ValueError(f"{counted} given, as many of both are needed, three at least")
    x, y = np.asarray(cohesive_energies_ev, dtype=float) / kB, np.asarray(temperatures_k, dtype=float)
    columns = [x] if through_origin else [x, np.ones_like(x)]
    design = np.stack(columns, axis=1)
    found, *_ = np.linalg.lstsq(design, y, rcond=None)
    residuals = y - design @ found
    variance = float(residuals @ residuals) / (len(y) - len(columns))
    covariance = variance * np.linalg.inv(design.T @ design)
    total = float(y @ y) if through_origin else float(np.sum((y - y.mean()) ** 2))
    return Fit(
        slope=float(found[0]),
        slope_uncertainty=float(np.sqrt(covariance[0, 0])),
        offset_k=0.0 if through_origin else float(found[1]),
        offset_uncertainty_k=0.0 if through_origin else float(np.sqrt(covariance[1, 1])),
        covariance_k=0.0 if through_origin else float(covariance[0, 1]),
        residual_k=float(np.sqrt(variance)),
        r_squared=1 - float(residuals @ residuals) / total,
        number=len(y),
    )
