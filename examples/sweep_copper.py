"""Melting curve of copper from 0 to 10 GPa, and its slope in two ways.

Run it in a profile that `aiida-dnpmelt setup` made; no daemon is needed:

    verdi run examples/sweep_copper.py
"""

from aiida import orm
from aiida.engine import run_get_node

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import crystal
from aiida_dnpmelt.setup.engines import lammps_potentials
from aiida_dnpmelt.workchains.pressure_sweep import PressureSweepWorkChain

potential = PotentialData.get_or_create(
    lammps_potentials() / "Cu_mishin1.eam.alloy", origin="doi:10.1103/PhysRevB.63.224106"
)
builder = PressureSweepWorkChain.get_builder_from_protocol(
    code=orm.load_code("lmp@localhost"),
    structure=orm.StructureData(ase=crystal("Cu", "fcc", 3.615)),
    potential=potential,
    protocol="fast",  # a first look; leave it out for the default, `balanced`
    overrides={"pressures_gpa": [0.0, 5.0, 10.0]},
)

results, node = run_get_node(builder)
print(node.description)
print(f"all of it: aiida-dnpmelt tm sweep {node.pk} --plot sweep.png")
