"""Properties of copper with one potential beside those of another one and of experiments.

Run it in a profile that `aiida-dnpmelt setup` made; no daemon is needed:

    verdi run examples/benchmark_copper.py
"""

from aiida import orm
from aiida.engine import run_get_node

from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.physics.crystals import crystal
from aiida_dnpmelt.setup.engines import lammps_potentials
from aiida_dnpmelt.workchains.potential_benchmark import PotentialBenchmarkWorkChain

folder = lammps_potentials()
builder = PotentialBenchmarkWorkChain.get_builder_from_protocol(
    code=orm.load_code("lmp@localhost"),
    structure=orm.StructureData(ase=crystal("Cu", "fcc", 3.615)),
    potential=PotentialData.get_or_create(folder / "Cu_u3.eam", origin="doi:10.1103/PhysRevB.33.7983"),
    protocol="fast",
    reference_potential=PotentialData.get_or_create(
        folder / "Cu_mishin1.eam.alloy", origin="doi:10.1103/PhysRevB.63.224106"
    ),
    values={
        "c11_gpa": {"value": 176.2, "source": "doi:10.1103/PhysRev.98.969"},
        "c12_gpa": {"value": 124.9, "source": "doi:10.1103/PhysRev.98.969"},
        "c44_gpa": {"value": 81.8, "source": "doi:10.1103/PhysRev.98.969"},
    },
)

results, node = run_get_node(builder)
for row in node.outputs.table["rows"]:
    print(row["property"], row["value"], row["experiment"], row["given"], row["other"])
