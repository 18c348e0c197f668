"""How often the 95 % interval holds the truth, on real runs of `bare_runs.py`.

The runs of one folder are taken in groups, each group gives an estimate; the reference is the joint estimate of a
few long runs in another folder. Lost runs are left out, as the work chain does; what that does to T_m is the
difference between groups with and without a lost run, and between guesses above and below T_m.

    python benchmarks/bare_runs.py runs --centre 1283 --spread 0.03 --number 84 --production 20 --lattice 3.615
    python benchmarks/bare_runs.py long --centre 1283 --number 4 --production 150 --lattice 3.615 --seed 7
    python benchmarks/coverage_real.py runs --reference long --group 2
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from aiida_dnpmelt.calculations.coexistence_script import LOG_FILE, probe_file
from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.calculations.coexistence_stages import FRAMES_FILE, PRODUCTION, RunSpec, stages_of
from aiida_dnpmelt.parsers.coexistence_files import RunFacts, read_run
from aiida_dnpmelt.physics.estimate import Estimate, bin_series, estimate, last_window
from aiida_dnpmelt.physics.lammps_log import read_log
from aiida_dnpmelt.physics.run import CoexistenceRun
from aiida_dnpmelt.physics.verdict import Criteria, judge
from aiida_dnpmelt.workchains.protocols import load_protocol


def load(folder: Path) -> CoexistenceRun:
    """Return the run of a folder of `bare_runs.py`."""
    record = json.loads((folder / "run.json").read_text())
    settings = CoexistenceSettings(**{**load_protocol("tpc", "balanced")["run"], **record.get("settings", {})})
    spec = RunSpec(record["guess_k"], 0.0, record["seed"], (6, 6, 12), (), (), 1, production_ps=1.0)
    facts = RunFacts(
        seed=record["seed"],
        n_atoms=1728,
        mass_amu=float(atomic_masses[atomic_numbers[record.get("element", "Cu")]]),
        length_angstrom=44.0,
        guess_k=record["guess_k"],
        pressure_gpa=0.0,
        timestep_fs=settings.timestep_fs,
        sample_steps=settings.sample_steps,
        stages=tuple(stages_of(settings, spec)),
    )
    with (folder / LOG_FILE).open(errors="replace") as log_lines:
        log = read_log(log_lines)
    with (folder / probe_file(PRODUCTION)).open() as probes, (folder / FRAMES_FILE).open() as frames:
        return read_run(log, probes, frames, facts)


def living(folder: Path) -> tuple[list[CoexistenceRun], list[tuple[float, str]]]:
    """Return the runs of a folder in which both phases live, and guess and state of the others."""
    kept, lost = [], []
    for path in sorted(folder.glob("*/run.json")):
        run = load(path.parent)
        state = judge(run, Criteria()).state
        if state == "coexistence":
            kept.append(run)
        else:
            lost.append((run.guess_k, state))
    return kept, lost


def fit(runs: list[CoexistenceRun]) -> Estimate:
    """Return the joint estimate of runs."""
    return estimate([bin_series(run.time_ps, run.temperature_k) for run in runs], n_atoms=runs[0].n_atoms)


def main() -> None:
    """Print coverage, errors and biases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--reference", type=Path, required=True, help="folder of long runs")
    parser.add_argument("--group", type=int, default=2, help="runs in an estimate")
    options = parser.parse_args()
    long_runs, _ = living(options.reference)
    truth = fit(long_runs)
    low, high = truth.interval_k
    print(
        f"reference: {truth.temperature_k:.1f} K, u = {truth.standard_uncertainty_k:.1f} K, 95 % {low:.0f}-{high:.0f}"
    )
    length = sum(run.length_ps for run in long_runs)
    print(f"  {len(long_runs)} runs, {length:.0f} ps, tau {truth.relaxation_time_ps:.1f} ps")

    kept, lost = living(options.folder)
    print(f"runs: {len(kept)} living, {len(lost)} lost {[(round(guess), state) for guess, state in lost]}")
    groups = [kept[index : index + options.group] for index in range(0, len(kept) - options.group + 1, options.group)]
    found = [fit(group) for group in groups]
    errors = np.array([item.temperature_k - truth.temperature_k for item in found])
    sigma = np.array([item.standard_uncertainty_k for item in found])
    # The interval is about the truth, which the reference knows to its own uncertainty.
    widened = np.hypot(sigma, truth.standard_uncertainty_k) / sigma
    halves = [(item.temperature_k - item.interval_k[0], item.interval_k[1] - item.temperature_k) for item in found]
    inside = [-high <= error <= low for error, (low, high) in zip(errors, halves, strict=True)]
    honest = [-high * w <= error <= low * w for error, (low, high), w in zip(errors, halves, widened, strict=True)]
    print(f"{len(found)} estimates of {options.group} runs: coverage {np.mean(inside):.3f}", end="")
    print(f", with the reference's uncertainty {np.mean(honest):.3f}")
    print(f"  mean error {errors.mean():+.1f} +- {errors.std(ddof=1) / len(errors) ** 0.5:.1f} K", end="")
    print(f", rms error {np.sqrt((errors**2).mean()):.1f} K, mean u {sigma.mean():.1f} K", end="")
    print(f", ratio {np.sqrt((errors**2).mean()) / sigma.mean():.2f}")

    print("bias by the guess (runs one by one):")
    singles = [(run.guess_k / truth.temperature_k - 1, fit([run]).temperature_k - truth.temperature_k) for run in kept]
    offsets, deviations = np.array(singles).T
    for start, end in ((-0.2, -0.02), (-0.02, 0.0), (0.0, 0.02), (0.02, 0.2)):
        chosen = deviations[(offsets >= start) & (offsets < end)]
        if len(chosen) > 1:
            error = chosen.std(ddof=1) / len(chosen) ** 0.5
            print(
                f"  guess off by {start:+.0%} to {end:+.0%}: {chosen.mean():+.1f} +- {error:.1f} K ({len(chosen)} runs)"
            )
    whole = [run for run in kept if run.length_ps >= 20 * 0.99]
    windows = [last_window([_raw(run)], min(20.0, run.length_ps)).temperature_k for run in whole]
    spread = np.std(windows, ddof=1)
    print(f"last 20 ps of a run alone: mean {np.mean(windows) - truth.temperature_k:+.1f} K, spread {spread:.1f} K")


def _raw(run: CoexistenceRun) -> object:
    from aiida_dnpmelt.physics.estimate import Series

    return Series(run.time_ps, run.temperature_k)


if __name__ == "__main__":
    main()
