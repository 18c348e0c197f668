"""Compare the slope of a melting curve with that of Clausius and Clapeyron.

    python benchmarks/clapeyron.py FOLDER --potential Cu_mishin1.eam.alloy --element Cu --a 3.615 POINT [POINT ...]

A POINT is pressure (GPa), T_m (K) and its standard uncertainty (K), with colons: 5:1534:11. At each of them crystal and
melt of 500 atoms are run at constant temperature and pressure; their mean volumes and enthalpies, with errors from ten
blocks, give the slope T_m dV/dH. It is compared with that of the law that fits the points. A run of 100 ps is some 40 s
on one core; what has been run in FOLDER is not run again.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import numpy as np
from bare_runs import lmp, pair_commands
from numpy.typing import NDArray

from aiida_dnpmelt.physics.melting_curve import Quantity, clapeyron_slope_k_per_gpa, disagreement, fit_curves
from aiida_dnpmelt.setup.engines import lammps_potentials

CELLS = 5
EQUILIBRATE_STEPS, STEPS, TIMESTEP_PS = 5_000, 50_000, 0.002
BLOCKS = 10

SCRIPT = """\
units metal
lattice fcc {a}
region box block 0 {n} 0 {n} 0 {n}
create_box 1 box
create_atoms 1 box
{pair}
neighbor 1.0 bin
timestep {timestep}
velocity all create {start} 4321 dist gaussian loop geom
{melt}
fix 1 all npt temp {temperature} {temperature} 0.1 iso {bar} {bar} 1.0
run {equilibrate}
variable v equal vol/atoms
variable h equal enthalpy/atoms
fix 2 all ave/time 10 100 1000 v_v v_h file means.dat
run {steps}
"""
MELT = "fix 0 all nvt temp {hot} {hot} 0.1\nrun 5000\nunfix 0\nvelocity all scale {temperature}"


def run(
    folder: Path, options: argparse.Namespace, phase: str, pressure: float, temperature: float
) -> NDArray[np.float64]:
    """Return means of volume (cubic Angstrom an atom) and enthalpy (eV an atom) over each 2 ps, shape (n, 2)."""
    own = folder / f"{phase}_{pressure:g}gpa_{temperature:.0f}k"
    if not (own / "done").exists():
        own.mkdir(parents=True, exist_ok=True)
        melt = MELT.format(hot=2.5 * temperature, temperature=temperature) if phase == "liquid" else ""
        potentials = lammps_potentials()
        assert potentials is not None
        text = SCRIPT.format(
            a=options.a,
            n=CELLS,
            pair="\n".join(pair_commands(potentials / options.potential, options.element)),
            timestep=TIMESTEP_PS,
            start=2 * temperature if phase == "solid" else temperature,
            melt=melt,
            temperature=temperature,
            bar=1e4 * pressure,
            equilibrate=EQUILIBRATE_STEPS,
            steps=STEPS,
        )
        (own / "input.in").write_text(text)
        command, environment = lmp()
        subprocess.run(command, cwd=own, check=True, env=environment)
        (own / "done").touch()
    return np.loadtxt(own / "means.dat")[:, 1:]


def mean(values: NDArray[np.float64]) -> Quantity:
    """Return the mean with its standard error from blocks."""
    blocks = np.array([block.mean() for block in np.array_split(values, BLOCKS)])
    return Quantity(float(values.mean()), float(blocks.std(ddof=1) / BLOCKS**0.5))


def difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> Quantity:
    """Return the difference of two means."""
    one, other = mean(first), mean(second)
    return Quantity(one.value - other.value, float(np.hypot(one.uncertainty, other.uncertainty)))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("points", nargs="+", help="pressure:T_m:u")
    parser.add_argument("--potential", default="Cu_mishin1.eam.alloy")
    parser.add_argument("--element", default="Cu")
    parser.add_argument("--a", type=float, default=3.615)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    points = np.array([[float(word) for word in point.split(":")] for point in options.points])
    best = fit_curves(*points.T)[0]
    print(f"{best.law.name}: chi2 {best.chi2:.1f} with {best.degrees_of_freedom} degrees of freedom")
    print("P/GPa  T_m/K  dV/A3  dH/eV  Clapeyron  fitted (K/GPa)  difference/sigma")
    for pressure, temperature, u in points:
        solid, liquid = (run(options.folder, options, phase, pressure, temperature) for phase in ("solid", "liquid"))
        volume, enthalpy = (difference(liquid[:, column], solid[:, column]) for column in (0, 1))
        slope = clapeyron_slope_k_per_gpa(Quantity(temperature, u), volume, enthalpy)
        fitted = best.slope_k_per_gpa(pressure)
        print(
            f"{pressure:5g}  {temperature:5.0f}  {volume.value:.3f}({volume.uncertainty:.3f})  "
            f"{enthalpy.value:.4f}({enthalpy.uncertainty:.4f})  {slope.value:.1f}({slope.uncertainty:.1f})  "
            f"{fitted.value:.1f}({fitted.uncertainty:.1f})  {disagreement(fitted, slope):+.1f}"
        )


if __name__ == "__main__":
    main()
