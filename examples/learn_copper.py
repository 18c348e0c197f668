"""Grow a training set of copper and three models of it, with a potential of LAMMPS as the teacher.

Run it in a profile that `aiida-dnpmelt setup` made; no daemon is needed, but with one the jobs run side by side:

    verdi run examples/learn_copper.py
"""

from aiida import orm
from aiida.engine import run_get_node

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import crystal
from aiida_dnpmelt.physics.ordering import ordered
from aiida_dnpmelt.setup.engines import lammps_potentials
from aiida_dnpmelt.workchains.adaptive_learning import AdaptiveLearningWorkChain

teacher = PotentialData.get_or_create(
    lammps_potentials() / "Cu_mishin1.eam.alloy", origin="doi:10.1103/PhysRevB.63.224106"
)
builder = AdaptiveLearningWorkChain.get_builder_from_protocol(
    training_code=orm.load_code("dp@localhost"),
    lammps_code=orm.load_code("lmp-deepmd@localhost"),
    structure=orm.StructureData(ase=crystal("Cu", "fcc", 3.615)),
    labelling={"code": orm.load_code("lmp@localhost"), "potential": teacher},
    protocol="fast",
    overrides={"plan": {"target_shift_k": 15.0, "label_budget": 300}},  # K, labels
)

results, node = run_get_node(builder)
for name, decision in ordered(node.outputs.decisions).items():
    print(f"{name}: {decision['action']}, {'; '.join(decision['reasons'])}")
for name, potential in node.outputs.potentials.items():
    print(f"{name}: node {potential.pk}")
