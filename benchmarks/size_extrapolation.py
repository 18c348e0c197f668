"""Print how often the 95 % interval of T_m at infinite size covers, whatever the effect of the size is.

    python benchmarks/size_extrapolation.py [STUDIES]

Synthetic studies of five sizes with T_m = T_inf + b/N and 5 K for each. Three ways to quote T_inf are compared: the
line always (what the package does), a constant unless b is resolved, and the mean of both by the weights of their AICc.
"""

from __future__ import annotations

import math
import sys

import numpy as np

from aiida_dnpmelt.physics.finite_size import SizeEffect, fit_sizes
from aiida_dnpmelt.physics.melting_curve import Quantity

ATOMS = np.array([512.0, 1000.0, 1728.0, 4096.0, 8000.0])
U_K = 5.0
EFFECTS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)
"""b in units of its standard uncertainty."""


def ways(effect: SizeEffect) -> dict[str, Quantity]:
    """Return T_inf by each way."""
    line, constant = (fit.temperature_k(math.inf) for fit in (effect.line, effect.constant))
    weight = 1 / (1 + math.exp((effect.line.aicc - effect.constant.aicc) / 2))
    mean = weight * line.value + (1 - weight) * constant.value
    variance = weight * (line.uncertainty**2 + (line.value - mean) ** 2)
    variance += (1 - weight) * (constant.uncertainty**2 + (constant.value - mean) ** 2)
    return {
        "line": line,
        "tested": line if effect.resolved else constant,
        "weighted": Quantity(mean, math.sqrt(variance)),
    }


def main(studies: int) -> None:
    """Print the coverage and the mean standard uncertainty of each way, a line for each effect."""
    u = np.full(len(ATOMS), U_K)
    unit = fit_sizes(ATOMS, np.zeros(len(ATOMS)), u).line.shift_k(1.0).uncertainty
    noise = np.random.default_rng(1).normal(size=(studies, len(ATOMS)))
    print(f"{studies} studies, cells of {', '.join(f'{n:.0f}' for n in ATOMS)} atoms")
    print("b/u(b)  " + "  ".join(f"{name:>16}" for name in ("line", "tested", "weighted")))
    for size in EFFECTS:
        found = [ways(fit_sizes(ATOMS, size * unit / ATOMS + U_K * each, u)) for each in noise]
        cells = []
        for name in ("line", "tested", "weighted"):
            values = np.array([each[name].value for each in found])
            uncertainties = np.array([each[name].uncertainty for each in found])
            covered = np.mean(np.abs(values) < 1.96 * uncertainties)
            cells.append(f"{covered:.3f} (u {uncertainties.mean():.1f} K)")
        print(f"{size:6.1f}  " + "  ".join(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
