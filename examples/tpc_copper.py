"""Melting temperature of copper by two-phase coexistence.

Run it in a profile that `aiida-dnpmelt setup` made; no daemon is needed:

    verdi run examples/tpc_copper.py
"""

from aiida import orm
from aiida.engine import run_get_node

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import crystal
from aiida_dnpmelt.setup.engines import lammps_potentials
from aiida_dnpmelt.workchains.tpc import TPCWorkChain

potential = PotentialData.get_or_create(
    lammps_potentials() / "Cu_mishin1.eam.alloy", origin="doi:10.1103/PhysRevB.63.224106"
)
builder = TPCWorkChain.get_builder_from_protocol(
    code=orm.load_code("lmp@localhost"),
    structure=orm.StructureData(ase=crystal("Cu", "fcc", 3.615)),
    potential=potential,
    protocol="fast",  # a first look; leave it out for the default, `balanced`
    overrides={"plan": {"target_uncertainty_k": 8.0}},
)
builder.pressure = orm.Float(0.0)  # GPa

results, node = run_get_node(builder)
print(node.tools.summary())
