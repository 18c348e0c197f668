"""Learn copper from a teacher, melt the models, and compare them with it.

Run it in a profile that `aiida-dnpmelt setup` made; no daemon is needed, but with one the jobs run side by side:

    verdi run examples/melt_copper.py
"""

from aiida import orm
from aiida.engine import run_get_node

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import crystal
from aiida_dnpmelt.setup.engines import lammps_potentials
from aiida_dnpmelt.workchains.melting import MeltingWorkChain

teacher = PotentialData.get_or_create(
    lammps_potentials() / "Cu_mishin1.eam.alloy", origin="doi:10.1103/PhysRevB.63.224106"
)
builder = MeltingWorkChain.get_builder_from_protocol(
    training_code=orm.load_code("dp@localhost"),
    lammps_code=orm.load_code("lmp-deepmd@localhost"),
    structure=orm.StructureData(ase=crystal("Cu", "fcc", 3.615)),
    labelling={"code": orm.load_code("lmp@localhost"), "potential": teacher},
    protocol="fast",  # a first look; leave it out for the default, `balanced`
    overrides={"learning": {"plan": {"target_shift_k": 15.0}}},
    teacher=True,  # compute its own T_m, too
)

results, node = run_get_node(builder)
print(node.tools.summary())
