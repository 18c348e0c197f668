"""Melting temperatures of three EAM potentials from guesses that are 15 % too low and 15 % too high.

Needs a profile of `aiida-dnpmelt setup` with its daemon running. Prints a table: the value and its 95 % interval,
the reference and whether the interval holds it, and what it cost.

    python benchmarks/potentials.py [--profile dnpmelt] [--only Cu_u3.eam]
"""

from __future__ import annotations

import argparse
import time

from aiida import load_profile, orm
from aiida.engine import submit

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import crystal
from aiida_dnpmelt.physics.notation import notation
from aiida_dnpmelt.setup.engines import lammps_potentials
from aiida_dnpmelt.workchains.tpc import TPCWorkChain

# File, element, lattice parameter in Angstrom, reference in K, its source. Values of the literature, but for Cu_u3.
CASES = (
    ("Cu_u3.eam", "Cu", 3.615, 1282.7, "this design, three seeds of 80 ps"),
    ("Cu_mishin1.eam.alloy", "Cu", 3.615, 1327.0, "Phys. Rev. B 63, 224106 (2001)"),
    ("Al_mm.eam.fs", "Al", 4.045, 926.0, "Philos. Mag. 88, 1723 (2008)"),
)


def launch(file: str, element: str, a: float, guess: float, protocol: str) -> orm.WorkChainNode:
    """Submit one work chain."""
    builder = TPCWorkChain.get_builder_from_protocol(
        orm.load_code("lmp@localhost"),
        orm.StructureData(ase=crystal(element, "fcc", a)),
        PotentialData.get_or_create(lammps_potentials() / file),
        protocol,
    )
    builder.temperature = orm.Float(guess)
    builder.metadata.label = f"{file} from {guess:.0f} K"
    return submit(builder)


def main() -> None:
    """Run all cases one after another and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="dnpmelt")
    parser.add_argument("--protocol", default="balanced")
    parser.add_argument("--only", help="one potential file")
    options = parser.parse_args()
    load_profile(options.profile)
    print(
        "potential | guess/K | T_m/K | 95 %/K | reference/K | inside | verdict | lost | M atom-steps | wall s",
        flush=True,
    )
    for file, element, a, reference, _ in CASES:
        if options.only not in (None, file):
            continue
        for factor in (0.85, 1.15):
            start = time.time()
            node = launch(file, element, a, factor * reference, options.protocol)
            while not node.is_terminated:
                time.sleep(2)
            point = node.outputs.melting_point.get_dict()
            low, high = point["interval_low_k"], point["interval_high_k"]
            inside = low is not None and low <= reference <= high
            lost = len(point["seeds_froze"]) + len(point["seeds_melted"]) + len(point["seeds_invalid"])
            value = notation(point["melting_temperature_k"], point["standard_uncertainty_k"])
            print(
                f"{file} | {factor * reference:.0f} | {value} | {low:.0f}-{high:.0f} | {reference} | {inside} | "
                f"{point['verdict']} | {lost} | {point['atom_steps'] / 1e6:.0f} | {time.time() - start:.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
