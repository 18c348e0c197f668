"""Check of the time-step correction on bulk crystal and bulk liquid.

At a given full-step kinetic temperature the ensemble of velocity Verlet is hotter by (w h)^2/6 (see
`aiida_dnpmelt.physics.estimate.timestep_correction`), and the mean potential energy of a harmonic mode is higher by
the factor 1 + (w h)^2/4, half of it from that heat. So U(h) - U(0) = (3/2) k T (w_E h)^2/4 an atom in a harmonic
crystal. The script measures U at several time steps in NVT, fits the slope in h^2 and prints its ratio to theory.

    python benchmarks/timestep.py
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from bare_runs import lammps_folder, lmp, pair_commands

from aiida_dnpmelt.physics.estimate import einstein_frequency
from aiida_dnpmelt.physics.lammps_log import read_log
from aiida_dnpmelt.physics.units import BOLTZMANN_EV_PER_K

TEMPERATURE_K = 1280.0
TIMESTEPS_FS = (1.0, 3.0, 4.5, 6.0)
TIME_PS = 30.0
MASS_AMU = 63.546

SCRIPT = """
units metal
lattice fcc {lattice}
region box block 0 5 0 5 0 5
create_box 1 box
create_atoms 1 box
mass 1 {mass}
{pair}
neighbor 1.5 bin
velocity all create {start} {seed} mom yes rot no dist gaussian
timestep {timestep}
{melt}
fix move all nvt temp {temperature} {temperature} 0.1
run {equilibrate}
variable force2 atom "fx*fx+fy*fy+fz*fz"
compute force2 all reduce ave v_force2
thermo_style custom step temp pe c_force2
thermo 20
print "dnpmelt stage measure"
run {steps}
"""
MELT = """
fix move all nvt temp 3500 3500 0.1
run 2000
unfix move
"""


def measure(phase: str, timestep_fs: float, seed: int) -> tuple[float, float, float, float]:
    """Return mean potential energy of an atom, its standard error (eV), kinetic temperature (K), w_E (rad/ps)."""
    potential = lammps_folder() / "share" / "lammps" / "potentials" / "Cu_u3.eam"
    script = SCRIPT.format(
        lattice=3.70 if phase == "solid" else 3.79,
        mass=MASS_AMU,
        pair="\n".join(pair_commands(potential, "Cu")),
        start=2 * TEMPERATURE_K,
        temperature=TEMPERATURE_K,
        seed=seed,
        timestep=timestep_fs / 1000,
        melt=MELT if phase == "liquid" else "",
        equilibrate=round(3000 / timestep_fs),
        steps=round(TIME_PS * 1000 / timestep_fs),
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "input.in").write_text(script)
        command, environment = lmp()
        subprocess.run(command, cwd=folder, env=environment, check=True)
        with (Path(folder) / "log.lammps").open() as lines:
            block = next(block for block in read_log(lines).blocks if block.stage == "measure")
    energy = block["PotEng"] / 500
    blocks = energy[: len(energy) // 20 * 20].reshape(20, -1).mean(axis=1)
    temperature = float(block["Temp"].mean())
    frequency = einstein_frequency(float(block["c_force2"].mean()), MASS_AMU, temperature)
    return float(energy.mean()), float(blocks.std(ddof=1) / 20**0.5), temperature, frequency


def main() -> None:
    """Print energies, the fitted slope and its ratio to theory."""
    for phase in ("solid", "liquid"):
        rows = [measure(phase, step, seed) for seed, step in enumerate(TIMESTEPS_FS, start=11)]
        energy, error, temperature, frequency = np.array(rows).T
        for step, *values in zip(TIMESTEPS_FS, energy, error, temperature, frequency, strict=True):
            print(phase, f"{step:.1f} fs: U = {values[0]:.5f}({values[1]:.5f}) eV, T = {values[2]:.1f} K", end="")
            print(f", w_E = {values[3]:.1f} rad/ps")
        square = (np.array(TIMESTEPS_FS) / 1000) ** 2
        (slope, _), covariance = np.polyfit(square, energy, 1, w=1 / error, cov="unscaled")
        theory = 1.5 * BOLTZMANN_EV_PER_K * TEMPERATURE_K * frequency[0] ** 2 / 4
        print(phase, f"slope over theory: {slope / theory:.2f} +- {covariance[0, 0] ** 0.5 / theory:.2f}")


if __name__ == "__main__":
    main()
