"""Melting temperature of copper in cells of several sizes, and at infinite size.

Run it in a profile that `aiida-dnpmelt setup` made; no daemon is needed, but with one the sizes run side by side:

    verdi run examples/size_copper.py
"""

from aiida import orm
from aiida.engine import run_get_node

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import crystal
from aiida_dnpmelt.setup.engines import lammps_potentials
from aiida_dnpmelt.workchains.finite_size import FiniteSizeWorkChain

potential = PotentialData.get_or_create(
    lammps_potentials() / "Cu_mishin1.eam.alloy", origin="doi:10.1103/PhysRevB.63.224106"
)
builder = FiniteSizeWorkChain.get_builder_from_protocol(
    code=orm.load_code("lmp@localhost"),
    structure=orm.StructureData(ase=crystal("Cu", "fcc", 3.615)),
    potential=potential,
    protocol="fast",  # a first look; leave it out for the default, `balanced`
    overrides={"study": {"minimum_atoms": [1000, 1728, 4096]}, "tpc": {"plan": {"target_uncertainty_k": 8.0}}},
)
builder.tpc.temperature = orm.Float(1327.0)  # K, the first guess in each size

results, node = run_get_node(builder)
print(node.tools.summary())
