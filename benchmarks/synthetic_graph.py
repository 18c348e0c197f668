"""A provenance graph that nobody ran, of any size: learned potentials and coexistence, with the links of the real ones.

Each of 20 elements has potentials that were learned in iterations (trainings, explorations, labels), and melting points
of them, `TPCWorkChain` with its runs and jobs. One potential of the first element was trained on many nodes of frames.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import psycopg
from aiida import orm
from aiida.common.links import LinkType
from aiida.manage import get_manager

ELEMENTS = (
    *("Al", "Cu", "Ni", "Ag", "Au", "Pt", "Pd", "Mg", "Ti", "Zr"),
    *("Fe", "Cr", "Mo", "W", "Ta", "Nb", "V", "Li", "Na", "K"),
)
POTENTIALS = 5
SEEDS = 4
COMMITTEE = 3
NODE_COLUMNS = (
    *("uuid", "node_type", "process_type", "label", "description", "ctime", "mtime"),
    *("attributes", "extras", "repository_metadata", "user_id", "dbcomputer_id"),
)
LINK_COLUMNS = ("input_id", "output_id", "type", "label")
_BATCH = 20_000
_BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
_NODE_TYPES = {
    "dict": "data.core.dict.Dict.",
    "float": "data.core.float.Float.",
    "int": "data.core.int.Int.",
    "str": "data.core.str.Str.",
    "list": "data.core.list.List.",
    "array": "data.core.array.ArrayData.",
    "trajectory": "data.core.array.trajectory.TrajectoryData.",
    "structure": "data.core.structure.StructureData.",
    "folder": "data.core.folder.FolderData.",
    "remote": "data.core.remote.RemoteData.",
    "code": "data.core.code.installed.InstalledCode.",
    "potcar": "data.vasp.potcar.PotcarData.",
    "potential": "data.dnpmelt.potential.PotentialData.",
    "frames": "data.dnpmelt.frames.FramesData.",
    "job": "process.calculation.calcjob.CalcJobNode.",
    "function": "process.calculation.calcfunction.CalcFunctionNode.",
    "chain": "process.workflow.workchain.WorkChainNode.",
}


@dataclass
class Graph:
    """Rows for the database; keys of nodes are the numbers that they get there, counted from ``first`` on."""

    connection: dict[str, Any]
    user: int
    computer: int
    first: int
    random: random.Random
    nodes: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    made: int = 0
    linked: int = 0

    def add(self, kind: str, values: dict[str, Any] | None = None, process_type: str = "", label: str = "") -> int:
        """Add a node and return its key."""
        time = _BEGIN + timedelta(seconds=10 * self.made)
        attributes = dict(values or {})
        if kind in ("job", "function", "chain"):
            attributes = {"process_state": "finished", "exit_status": 0, "sealed": True, **attributes}
        self.nodes.append(
            {
                "uuid": str(uuid.UUID(int=self.random.getrandbits(128), version=4)),
                "node_type": _NODE_TYPES[kind],
                "process_type": process_type or None,
                "label": label,
                "description": "",
                "ctime": time,
                "mtime": time,
                "attributes": attributes,
                "extras": {"_aiida_hash": f"{self.random.getrandbits(256):064x}"},
                "repository_metadata": {},
                "user_id": self.user,
                "dbcomputer_id": self.computer if kind in ("job", "remote", "code") else None,
            }
        )
        self.made += 1
        return self.first + self.made - 1

    def uuid(self, key: int) -> str:
        """Return the UUID of a node that is not written yet."""
        return str(self.nodes[key - self.first - (self.made - len(self.nodes))]["uuid"])

    def link(self, begin: int, end: int, kind: LinkType, label: str) -> None:
        """Add a link."""
        self.links.append({"input_id": begin, "output_id": end, "type": kind.value, "label": label})

    def process(
        self, kind: str, process_type: str, inputs: dict[str, int], caller: tuple[int, str] | None, label: str = ""
    ) -> int:
        """Add a process with its inputs and the call of it."""
        values = {"process_label": process_type.rpartition(".")[2], "version": {"core": "2.9.4", "plugin": "0.1.0"}}
        key = self.add(kind, values, process_type, label)
        work = kind == "chain"
        for name, node in inputs.items():
            self.link(node, key, LinkType.INPUT_WORK if work else LinkType.INPUT_CALC, name)
        if caller is not None:
            self.link(caller[0], key, LinkType.CALL_WORK if work else LinkType.CALL_CALC, caller[1])
        return key

    def create(self, process: int, label: str, kind: str, values: dict[str, Any] | None = None, name: str = "") -> int:
        """Add a node that a calculation made."""
        key = self.add(kind, values, label=name)
        self.link(process, key, LinkType.CREATE, label)
        return key

    def write(self) -> None:
        """Write the rows, as PostgreSQL takes them fastest."""
        begin = self.first + self.made - len(self.nodes)
        with psycopg.connect(**self.connection) as connection, connection.cursor() as cursor:
            with cursor.copy(f"COPY db_dbnode (id, {', '.join(NODE_COLUMNS)}) FROM STDIN") as copy:
                for number, node in enumerate(self.nodes):
                    copy.write_row((begin + number, *(_cell(node[name]) for name in NODE_COLUMNS)))
            with cursor.copy(f"COPY db_dblink ({', '.join(LINK_COLUMNS)}) FROM STDIN") as copy:
                for link in self.links:
                    copy.write_row(tuple(link[name] for name in LINK_COLUMNS))
            cursor.execute("SELECT setval('db_dbnode_id_seq', %s)", (self.first + self.made,))
        self.linked += len(self.links)
        self.nodes, self.links = [], []


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value


@dataclass(frozen=True)
class Landmarks:
    """Nodes to ask about: keys in the database."""

    nodes: int
    links: int
    deep_chain: int
    deep_frames: int
    frames: int
    code: int
    vasp: int


def build(chains: int, deep_frames: int = 1000, seed: int = 1) -> Landmarks:
    """Store a graph with a number of coexistence work chains in the loaded profile, which must be empty.

    :param deep_frames: nodes of frames behind one potential.
    """
    computer = orm.Computer("cluster", "cluster", transport_type="core.local", scheduler_type="core.direct").store()
    user = orm.User.collection.get_default()
    config = get_manager().get_profile().storage_config
    connection = {
        "host": config["database_hostname"],
        "port": config["database_port"],
        "user": config["database_username"],
        "password": config["database_password"],
        "dbname": config["database_name"],
    }
    graph = Graph(connection, user.pk, computer.pk, _next_key(), random.Random(seed))
    codes = {
        name: graph.add("code", {"input_plugin": None, "filepath_executable": name}, label=name)
        for name in ("lmp", "dp", "vasp")
    }
    shared = {
        name: graph.add(kind, values)
        for name, kind, values in (
            ("parameters", "dict", {"timestep_fs": 2.0, "method": "bulk"}),
            ("plan", "dict", {"runs": SEEDS}),
            ("size", "dict", {"minimum_atoms": 20_000}),
            ("seeds", "list", {"list": [101, 102, 103, 104]}),
            ("protocol", "str", {"value": "stringent"}),
        )
    }
    deep_chain = deep = shallow = 0
    for number, element in enumerate(ELEMENTS):
        structure = graph.add("structure", {"element": element})
        potentials: list[tuple[int, str]] = []
        for index in range(POTENTIALS):
            wanted = deep_frames if number == index == 0 else 40
            key, frames = _learn(graph, codes, structure, element, index, wanted)
            potentials.append((key, graph.uuid(key)))
            deep, shallow = (frames, shallow) if number == index == 0 else (deep, frames)
        for index in range(chains // len(ELEMENTS)):
            key = _melt(graph, codes, shared, structure, element, potentials[index % POTENTIALS], index)
            if number == index == 0:
                deep_chain = key
            if len(graph.nodes) > 2 * _BATCH:
                graph.write()
        graph.write()
    with psycopg.connect(**connection, autocommit=True) as session:
        session.execute("ANALYZE")
    return Landmarks(graph.made, graph.linked, deep_chain, deep, shallow, codes["lmp"], codes["vasp"])


def _next_key() -> int:
    return int(orm.Int(0).store().pk) + 1


def _learn(
    graph: Graph, codes: dict[str, int], structure: int, element: str, index: int, wanted: int
) -> tuple[int, int]:
    """Add a learning with a number of nodes of frames, and return its last potential and its first frames."""
    iterations = 10 if wanted > 100 else 2
    chain = graph.process("chain", "aiida.workflows:dnpmelt.adaptive_learning", {"structure": structure}, None)
    graph.link(codes["dp"], chain, LinkType.INPUT_WORK, "training__code")
    pseudo = graph.add(
        "potcar", {"element": element, "symbol": element, "sha512": f"{graph.random.getrandbits(512):0128x}"}
    )
    settings = graph.add("dict", {"training": {"numb_steps": 100_000}})
    frames: dict[str, int] = {}
    models: list[int] = []
    for iteration in range(1, iterations + 1):
        chosen = _explore(graph, codes, structure, models, chain, iteration) if models else structure
        for number in range(wanted // iterations):
            incar = graph.add("dict", {"ENCUT": 400, "ISMEAR": 1})
            inputs = {"code": codes["vasp"], "structure": chosen, "parameters": incar, f"potential__{element}": pseudo}
            job = graph.process("job", "aiida.calculations:vasp.vasp", inputs, (chain, f"label_{iteration}_{number}"))
            retrieved = graph.create(job, "retrieved", "folder")
            function = graph.process(
                "function", "aiida_dnpmelt.calculations.vasp_frames.take_labels", {"runs__run_0": retrieved}, None
            )
            values = {
                "number_of_frames": 1,
                "phase": ("solid", "liquid")[number % 2],
                "labeller": "VASP 6.4.2, PAW_PBE",
            }
            frames[f"frames__it_{iteration:02d}_{number:03d}"] = graph.create(function, "frames", "frames", values)
        models = [
            _train(graph, codes, settings, frames, models, chain, iteration, number) for number in range(COMMITTEE)
        ]
    return models[0], next(iter(frames.values()))


def _explore(graph: Graph, codes: dict[str, int], structure: int, models: list[int], chain: int, iteration: int) -> int:
    """Add an exploration by models, and return the frames that were chosen."""
    inputs = {"code": codes["lmp"], "structure": structure}
    inputs.update({f"potentials__seed_{number}": model for number, model in enumerate(models)})
    job = graph.process(
        "job", "aiida.calculations:dnpmelt.exploration", inputs, (chain, f"exploration_{iteration:02d}")
    )
    graph.create(job, "results", "dict", {"core_hours": 0.2, "atom_steps": 1e7, "lammps_version": "22Jul2025"})
    trajectory = graph.create(job, "trajectory", "trajectory")
    function = graph.process(
        "function", "aiida_dnpmelt.calculations.selection.select_frames", {"trajectory": trajectory}, None
    )
    return graph.create(function, "frames", "trajectory")


def _train(
    graph: Graph,
    codes: dict[str, int],
    settings: int,
    frames: dict[str, int],
    models: list[int],
    chain: int,
    iteration: int,
    number: int,
) -> int:
    """Add a training, and return the model."""
    inputs = {"code": codes["dp"], "settings": settings, "seed": graph.add("int", {"value": number}), **frames}
    if models:
        inputs["parent_model"] = models[number]
    job = graph.process(
        "job", "aiida.calculations:dnpmelt.deepmd_train", inputs, (chain, f"training_{iteration:02d}_{number}")
    )
    graph.create(job, "results", "dict", {"core_hours": 1.0, "deepmd_version": "3.2.0", "steps": 100_000})
    sha = f"{graph.random.getrandbits(256):064x}"
    values = {"pair_style": "deepmd", "sha256": sha, "type_map": ["X"], "cutoff": 6.0, "format": "pb", "origin": ""}
    return graph.create(job, "potential", "potential", values, f"iteration {iteration}, seed {number}")


def _melt(
    graph: Graph,
    codes: dict[str, int],
    shared: dict[str, int],
    structure: int,
    element: str,
    potential: tuple[int, str],
    index: int,
) -> int:
    """Add a coexistence work chain with its runs, and return it."""
    pressure = graph.add("float", {"value": float(index % 31)})
    guess = graph.add("float", {"value": 1000.0})
    given = {"structure": structure, "potential": potential[0], "pressure": pressure, "temperature": guess, **shared}
    inputs = {**given, "coexistence__calc__code": codes["lmp"]}
    chain = graph.process("chain", "aiida.workflows:dnpmelt.tpc", inputs, None, f"{element}_{index}")
    cell = graph.process(
        "function", "aiida_dnpmelt.calculations.structures.coexistence_cell", {"structure": structure}, (chain, "cell")
    )
    given["structure"] = graph.create(cell, "result", "structure")
    start = graph.process(
        "function",
        "aiida_dnpmelt.calculations.melting_point.start_plan",
        {"temperature": guess, "plan": shared["plan"]},
        (chain, "plan"),
    )
    time = graph.create(start, "production_time", "float", {"value": 20.0})
    counts = graph.add("list", {"list": [20, 20, 25]})
    assessed: dict[str, int] = {}
    for number in range(1, SEEDS + 1):
        own = {
            **{name: given[name] for name in ("structure", "potential", "pressure", "parameters")},
            "temperature": graph.create(start, f"guess_{number}", "float", {"value": 1000.0 + number}),
            "seed": graph.add("int", {"value": 100 + number}),
            "repetitions": counts,
            "production_time": time,
        }
        run = graph.process(
            "chain",
            "aiida.workflows:dnpmelt.coexistence",
            {f"calc__{name}": node for name, node in {**own, "code": codes["lmp"]}.items()},
            (chain, f"seed_{100 + number}_round_01"),
        )
        job = graph.process(
            "job",
            "aiida.calculations:dnpmelt.coexistence",
            {**own, "code": codes["lmp"]},
            (run, "iteration_01"),
        )
        graph.create(job, "remote_folder", "remote", {"remote_path": f"/scratch/{job}"})
        graph.create(job, "retrieved", "folder")
        graph.create(job, "restart", "dict", {"stage": "production", "step": 10_000})
        results = {"core_hours": 2.0, "atom_steps": 2e8, "lammps_version": "22Jul2025", "halted": False}
        assessed[f"results_{number:03d}"] = graph.create(job, "results", "dict", results)
        assessed[f"run_{number:03d}"] = graph.create(job, "run", "array", {"array|temperature": [10_000]})
        for name in ("results", "run"):
            graph.link(run, assessed[f"{name}_{number:03d}"], LinkType.RETURN, name)
    inputs = {
        **{name: given[name] for name in ("structure", "potential", "pressure", "parameters", "plan", "protocol")},
        "repetitions": counts,
        "round_number": graph.add("int", {"value": 1}),
        "unused_seeds": graph.add("int", {"value": 0}),
        **assessed,
    }
    function = graph.process(
        "function", "aiida_dnpmelt.calculations.melting_point.assess_runs", inputs, (chain, "assessment_01")
    )
    graph.create(function, "assessment", "dict", {"runs": {}})
    point = graph.create(function, "melting_point", "dict", _point(graph, element, potential, index))
    graph.link(chain, point, LinkType.RETURN, "melting_point")
    return chain


def _point(graph: Graph, element: str, potential: tuple[int, str], index: int) -> dict[str, Any]:
    """Return a melting point with all keys of the schema."""
    value = 900.0 + 40 * (index % 31) + graph.random.gauss(0, 5)
    known = {
        "schema": "dnpmelt.melting_point",
        "schema_version": 1,
        "element": element,
        "lattice": "fcc",
        "found_lattice": "fcc",
        "found_lattice_share": 0.98,
        "pressure_gpa": float(index % 31),
        "melting_temperature_k": value,
        "standard_uncertainty_k": 5.0,
        "interval_low_k": value - 10,
        "interval_high_k": value + 10,
        "coverage": 0.95,
        "statistical_uncertainty_k": 4.9,
        "timestep_uncertainty_k": 1.0,
        "timestep_correction_k": 2.0,
        "verdict": ("valid", "valid", "valid", "unfinished", "invalid")[index % 5 if index % 7 == 0 else 0],
        "reasons": ["both phases live in 4 of 4 runs"],
        "seeds_used": [101, 102, 103, 104],
        "atoms": 20_000,
        "repetitions": [20, 20, 25],
        "atom_steps": SEEDS * 2e8,
        "core_hours": SEEDS * 2.0,
        "potential_label": f"{element} {potential[0]}",
        "potential_uuid": potential[1],
        "potential_style": "deepmd",
        "potential_sha256": f"{potential[0]:064x}",
        "protocol": "stringent",
        "method": "bulk",
        "timestep_fs": 2.0,
        "lammps_version": "22Jul2025",
        "dnpmelt_version": "0.1.0",
    }
    names = ("size_uncertainty_k", "bracket_low_k", "bracket_high_k", "paper_std_k", "paper_sem_k")
    numbers = ("relaxation_time_ps", "slow_noise_k", "fast_noise_k", "between_runs_k", "chi2", "paper_mean_k")
    more = {"seeds_froze": [], "seeds_melted": [], "seeds_invalid": [], "rounds": 1, "degrees_of_freedom": 3}
    return {**known, **dict.fromkeys(names), **dict.fromkeys(numbers, 1.0), **more, "production_time_ps": 80.0}


def sizes(largest: int) -> Iterator[int]:
    """Yield numbers of coexistence work chains: a tenth of the largest, and the largest."""
    yield from (largest // 10, largest)
