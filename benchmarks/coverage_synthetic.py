"""How often the 95 % interval holds the truth, and how wide it is, on synthetic series.

The last-20-ps means of the same series, with Student's interval between runs, stand beside it: rms error, and mean
half-width over that of the estimate. A target in the first column: the runs go on, as the work chain has them do,
until the standard uncertainty is reached. Markdown; 3 CPU-minutes for 500 series of each kind.

    python benchmarks/coverage_synthetic.py --series 500
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from aiida_dnpmelt.physics.estimate import Estimate, Series, estimate, last_window, required_time

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from physics.synthetic import N_ATOMS, Truth, draw

COPPER = Truth()
FIRST_PS, LONGEST_PS = 30, 200


class Kind(NamedTuple):
    """Truth, numbers of runs in turn, length in ps, and the uncertainty in K at which runs end, if any."""

    name: str
    truth: Truth
    runs: tuple[int, ...]
    length_ps: int
    target_k: float = math.inf


KINDS = (
    Kind("4 runs x 60 ps", COPPER, (4,), 60),
    Kind("3 runs x 30 ps", COPPER, (3,), 30),
    Kind("4-5 runs x 120 ps, omega 8 K", replace(COPPER, between_k=8.0), (4, 5), 120),
    Kind("4-5 runs x 120 ps, omega 14 K", replace(COPPER, between_k=14.0), (4, 5), 120),
    Kind("4-5 runs x 120 ps", COPPER, (4, 5), 120),
    Kind("4 runs x 60 ps, tau 4 ps", replace(COPPER, relaxation_ps=4.0), (4,), 60),
    Kind("4 runs x 60 ps, tau 12 ps", replace(COPPER, relaxation_ps=12.0), (4,), 60),
    Kind("1 run x 100 ps", COPPER, (1,), 100),
    Kind("2 runs x 100 ps", COPPER, (2,), 100),
    Kind("6 runs x 37 ps", COPPER, (6,), 37),
    Kind("6 runs x 37 ps, omega 8 K", replace(COPPER, between_k=8.0), (6,), 37),
    Kind("10 runs x 120 ps", COPPER, (10,), 120),
    Kind("10 runs x 120 ps, omega 8 K", replace(COPPER, between_k=8.0), (10,), 120),
    Kind("4 runs until u = 5 K", COPPER, (4,), LONGEST_PS, 5.0),
    Kind("4 runs until u = 5 K, omega 8 K", replace(COPPER, between_k=8.0), (4,), LONGEST_PS, 5.0),
)


def cut(series: list[Series], length_ps: int) -> list[Series]:
    """Return the beginning of every series."""
    return [Series(run.time_ps[:length_ps], run.temperature_k[:length_ps]) for run in series]


def extend(series: list[Series], target_k: float) -> tuple[Estimate, list[Series]]:
    """Return the estimate from series that are made longer until the target is reached, and their used part."""
    longest = len(series[0].time_ps)
    length = longest if math.isinf(target_k) else FIRST_PS
    while True:
        used = cut(series, length)
        found = estimate(used, N_ATOMS)
        if found.standard_uncertainty_k <= target_k or length >= longest:
            return found, used
        needed = min(required_time(found, len(used), length, target_k), longest)
        length = min(math.ceil(1.1 * max(needed, length)), 3 * length, longest)


def study(kind: Kind, number: int, seed: int) -> Iterator[tuple[float, ...]]:
    """Yield inside, error, u and half-width of each estimate; error and half-width of the last 20 ps; length; s CPU."""
    rng = np.random.default_rng(seed)
    for index in range(number):
        series = draw(rng, kind.truth, kind.runs[index % len(kind.runs)], kind.length_ps)
        start = time.process_time()
        found, used = extend(series, kind.target_k)
        spent = time.process_time() - start
        low, high = found.interval_k
        paper = last_window(used)
        window = student.ppf(0.975, max(len(used) - 1, 1)) * paper.standard_error_k
        yield (
            low <= kind.truth.melting_k <= high,
            found.temperature_k - kind.truth.melting_k,
            found.standard_uncertainty_k,
            (high - low) / 2,
            paper.temperature_k - kind.truth.melting_k,
            window,
            used[0].length_ps,
            spent,
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=500, help="series of each kind")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| series | coverage | rms error K | u K | half-width K | last 20 ps: rms error K | ratio | ps | ms CPU |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in KINDS:
        inside, error, u, half, paper, window, length, spent = np.array([*study(kind, options.series, options.seed)]).T
        rms, root_u, paper_rms = (np.sqrt((values**2).mean()) for values in (error, u, paper))
        print(
            f"| {kind.name} | {inside.mean():.3f} | {rms:.1f} | {root_u:.1f} | {half.mean():.1f} "
            f"| {paper_rms:.1f} | {window.mean() / half.mean():.1f} | {length.mean():.0f} | {1e3 * spent.mean():.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
