"""Models that are off on purpose, through the whole chain: does the predicted shift find how far off they melt.

The learning is cut short: crystals alone or hardly any liquid in the first frames, few steps, one iteration. The table
of `repetitions.py --pk PK` then holds predicted and measured shifts.

    python benchmarks/poor_models.py --crystals 20 --melts 0 --steps 2000 [--seed 1]
"""

from __future__ import annotations

import argparse
import time

from aiida import load_profile, orm
from aiida.engine import submit

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import crystal
from aiida_dnpmelt.setup.engines import lammps_potentials
from aiida_dnpmelt.workchains.melting import MeltingWorkChain


def main() -> None:
    """Run the chain and print its PK and its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="dnpmelt")
    parser.add_argument("--crystals", type=int, default=20)
    parser.add_argument("--melts", type=int, default=0)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    load_profile(options.profile)
    reference = {
        "code": orm.load_code("lmp@localhost"),
        "potential": PotentialData.get_or_create(lammps_potentials() / "Cu_mishin1.eam.alloy"),
    }
    seeds = [10 * options.seed + model for model in (1, 2, 3)]
    training = {"steps": options.steps, "seeds": seeds}
    builder = MeltingWorkChain.get_builder_from_protocol(
        orm.load_code("dp@localhost"),
        orm.load_code("lmp-deepmd@localhost"),
        orm.StructureData(ase=crystal("Cu", "fcc", 3.615)),
        reference,
        "fast",
        {"seed": options.seed, "learning": {"seed": options.seed, "training": training}},
        teacher=True,
    )
    plan = builder.learning.plan.get_dict()
    plan["maximum_iterations"] = 1
    plan["first_frames"]["crystals"]["number"] = options.crystals
    plan["first_frames"]["melts"]["number"] = options.melts
    if not options.melts:
        del plan["first_frames"]["melts"]
    builder.learning.plan = orm.Dict(plan)
    node = submit(builder)
    print(f"work chain {node.pk}", flush=True)
    while not node.is_terminated:
        time.sleep(5)
    print(node.description, node.exit_message or "")


if __name__ == "__main__":
    main()
