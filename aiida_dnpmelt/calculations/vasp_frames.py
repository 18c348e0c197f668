"""From frames to runs of VASP and back: starting points, pieces of runs, and the frames that are labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

import ase.io
import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase import Atoms, units
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from numpy.typing import NDArray

from aiida_dnpmelt.calculations.label_settings import LABEL, MELT, LabelSettings
from aiida_dnpmelt.calculations.lammps_label import Start, starts_of
from aiida_dnpmelt.calculations.vasp_md import VELOCITIES
from aiida_dnpmelt.calculations.vasp_settings import VaspSettings
from aiida_dnpmelt.data.elements import elements
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.physics.frames import LabelledFrames, finite_frames, join_frames
from aiida_dnpmelt.physics.functional import functional_of
from aiida_dnpmelt.physics.ordering import by_number
from aiida_dnpmelt.physics.vasp_run import VaspRun
from aiida_dnpmelt.physics.vasprun import read_stream

Array = NDArray[np.float64]

XML, CONTCAR = "vasprun.xml", "CONTCAR"
_SAME_ANGSTROM = 1e-6
"""Largest distance of atoms in the last frame of a piece and the first of the next, if they are the same."""


@calcfunction
def label_starts(settings: orm.Dict, vasp: orm.Dict, seed: orm.Int, **frames: orm.TrajectoryData) -> dict[str, Any]:
    """Return of each starting frame ``structure_N``, ``kpoints_N``, for a run ``velocities_N``, and its parameters.

    Velocities (Angstrom/fs) are drawn from the distribution of Maxwell and Boltzmann, without drift. The parameters are
    those of aiida-vasp, as ``STAGE_N`` for each stage. Frames are numbered from 0 by the name of their node.

    :param settings: see `LabelSettings`; its thermostat and barostat are those of the INCAR.
    :param vasp: see `VaspSettings`.
    """
    label, choices = LabelSettings(**settings.get_dict()), VaspSettings(**vasp.get_dict())
    random = np.random.default_rng(seed.value)
    found: dict[str, Any] = {}
    for index, start in enumerate(starts_of(frames)):
        atoms = Atoms(start.symbols, positions=start.positions, cell=start.cell, pbc=True)
        found[f"structure_{index}"] = orm.StructureData(ase=atoms)
        found[f"kpoints_{index}"] = kpoints_of(atoms, choices)
        stages = label.stages
        if stages[LABEL]:
            first = label.melt_factor if MELT in stages else 1.0
            MaxwellBoltzmannDistribution(atoms, temperature_K=first * start.temperature_k, rng=random)
            found[f"velocities_{index}"] = _velocities(_without_drift(atoms))
        for stage, steps in stages.items():
            temperature = start.temperature_k * (label.melt_factor if stage == MELT else 1.0)
            found[f"{stage}_{index}"] = orm.Dict({"incar": _incar(choices, label, start, steps, temperature)})
    return found


@calcfunction
def go_on_from(retrieved: orm.FolderData, structure: orm.StructureData) -> dict[str, orm.Data]:
    """Return how far a piece of a run has come, and where it can go on.

    ``steps`` is the number of whole ones; ``structure`` and ``velocities`` begin the next piece, if there can be one.
    They are those of the CONTCAR. Where that was torn, they are the last positions of the `vasprun.xml` and velocities
    from the two last ones, half a step behind: then ``repeated`` is 1, since the next piece begins with that frame.

    :param structure: of the start of the piece.
    """
    run = read_retrieved(retrieved)
    start = structure.get_ase()
    after = _read_contcar(retrieved, start) if run.steps else None
    atoms = after or _last_two(run, start)
    found: dict[str, orm.Data] = {
        "steps": orm.Int(len(run.steps)),
        "repeated": orm.Int(after is None and atoms is not None),
    }
    if atoms is not None:
        found["structure"] = orm.StructureData(ase=atoms)
        found["velocities"] = _velocities(atoms)
    return found


@calcfunction
def join_pieces(phase: orm.Str, temperature: orm.Float, **pieces: orm.FolderData) -> dict[str, orm.Data]:
    """Return the frames of a run in pieces as one (``frames``, none if there is none), and a ``report``.

    A frame that ended one piece and began the next is taken once. Nothing is dropped but frames whose labels are no
    numbers, which are counted.

    :param temperature: of the run in K.
    :param pieces: retrieved folders, in the order of their names.
    :return: ``report`` has the numbers of ``pieces``, ``steps``, ``electronic_steps``, ``lost_steps`` (begun, not
        whole), ``doubled`` and ``not_finite`` frames, the version of VASP, the titles of the POTCAR files, and of each
        piece its flaw in words.
    """
    runs = {name: read_retrieved(pieces[name]) for name in sorted(pieces, key=by_number)}
    counts: Counter[str] = Counter(pieces=len(runs), doubled=0, not_finite=0, lost_steps=0, electronic_steps=0)
    parts: list[LabelledFrames] = []
    converged: list[NDArray[np.bool_]] = []
    last: Array | None = None
    for run in runs.values():
        counts["lost_steps"] += run.lost
        counts["electronic_steps"] += sum(step.electronic_steps for step in run.steps)
        if not run.steps:
            continue
        arrays = run.arrays()
        positions = arrays["positions"]
        doubled = last is not None and bool(np.abs(positions[0] - last).max() < _SAME_ANGSTROM)
        last = positions[-1]
        finite = finite_frames(arrays)
        counts["doubled"] += doubled
        counts["not_finite"] += int((~finite).sum())
        finite[0] &= not doubled
        if finite.any():
            arrays = {name: values[finite] for name, values in arrays.items()}
            parts.append(LabelledFrames(run.symbols, **arrays, temperatures_k=np.full(finite.sum(), temperature.value)))
            converged.append(run.converged[finite])
    first = next(iter(runs.values()))
    report = {
        **counts,
        "steps": sum(map(len, parts)),
        "vasp_version": first.version,
        "potcars": list(first.potcars),
        "flaws": {name: run.flaw for name, run in runs.items() if run.flaw},
    }
    found: dict[str, orm.Data] = {"report": orm.Dict(report)}
    if parts:
        labeller = f"VASP {first.version}, {', '.join(first.potcars)}"
        found["frames"] = FramesData(
            join_frames(parts),
            phase=phase.value,
            labeller=labeller,
            functional=functional_of(first.incar, first.potcars),
            converged=np.concatenate(converged),
        )
    return found


@calcfunction
def take_labels(settings: orm.Dict, **runs: FramesData) -> dict[str, FramesData]:
    """Return the frames of runs that are labels, as one (``frames``, none if no run came as far as the first).

    They are those at equal distances after the start.

    :param settings: see `LabelSettings`.
    """
    label = LabelSettings(**settings.get_dict())
    parts, converged = [], []
    for name in sorted(runs, key=by_number):
        frames = runs[name].frames
        wanted = range(label.spacing, label.steps + 1, label.spacing) if label.steps else [0]
        chosen = [index for index in wanted if index < len(frames)]
        if chosen:
            parts.append(frames.take(chosen))
            converged.append(runs[name].get_array("converged")[chosen])
    if not parts:
        return {}
    first = next(iter(runs.values()))
    joined = join_frames(parts)
    labels = FramesData(
        joined,
        phase=first.phase,
        labeller=first.labeller,
        functional=first.functional,
        converged=np.concatenate(converged),
    )
    return {"frames": labels}


@calcfunction
def label_report(settings: orm.Dict, runs: orm.Dict, **screened: orm.Dict) -> orm.Dict:
    """Return the counts that all labellers report.

    :param runs: ``starts`` by name of the frames, and ``failed``: reasons by number of the start.
    :param screened: reports of `screen_frames` by name of the frames.
    :return: ``expected``, ``labelled``, ``not_finite``, ``large_force`` and ``missing`` frames, beside them
        ``unconverged``, ``energy`` and ``outlier``; the same ``by_name``; ``failed`` runs with the reason.
    """
    label = LabelSettings(**settings.get_dict())
    names = {"large_force": "force", "unconverged": "unconverged", "energy": "energy", "outlier": "outlier"}
    by_name = {}
    for name, starts in runs["starts"].items():
        report: dict[str, Any] = {"seen": 0, "kept": 0, "dropped": {}}
        if name in screened:
            report = screened[name].get_dict()
        expected = starts * label.frames_per_start
        by_name[name] = {
            "expected": expected,
            "labelled": report["kept"],
            "not_finite": 0,
            **{key: report["dropped"].get(reason, 0) for key, reason in names.items()},
            "missing": expected - report["seen"],
        }
    total: Counter[str] = Counter()
    for counts in by_name.values():
        total.update(counts)
    return orm.Dict({**total, "by_name": by_name, "failed": runs["failed"]})


def read_retrieved(retrieved: orm.FolderData) -> VaspRun:
    """Return what the `vasprun.xml` of a job says; a run without a step if there is none."""
    if XML not in retrieved.base.repository.list_object_names():
        return VaspRun(cut="there is no vasprun.xml")
    with retrieved.base.repository.open(XML, mode="rb") as handle:
        return read_stream(handle)


def _incar(choices: VaspSettings, label: LabelSettings, start: Start, steps: int, temperature: float) -> dict[str, Any]:
    tags = static_incar(choices, start.symbols)
    if not steps:
        return tags
    motion = {"ibrion": 0, "nsw": steps, "potim": label.timestep_fs}
    return {**tags, **motion, "tebeg": temperature, "teend": temperature}


def static_incar(choices: VaspSettings, symbols: Sequence[str]) -> dict[str, Any]:
    """Return the tags of a static run, with first magnetic moments (Bohr magnetons) where ISPIN = 2."""
    tags, table = dict(choices.tags), elements()
    moments = [table[symbol].magnetic_moment if symbol in table else None for symbol in symbols]
    if any(moment is not None for moment in moments):
        tags.setdefault("ispin", 2)
    if int(tags.get("ispin", 1)) == 2:
        usual = choices.magnetic_moment_mu_b
        tags["magmom"] = " ".join(f"{usual if moment is None else moment:g}" for moment in moments)
    return {**tags, "ibrion": -1, "nsw": 0}


def kpoints_of(atoms: Atoms, choices: VaspSettings) -> orm.KpointsData:
    """Return a mesh that is at least as dense as asked for, as VASP makes it from KSPACING."""
    lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    mesh = np.maximum(1, np.ceil(lengths / choices.kpoints_spacing_per_angstrom)).astype(int)
    shift = [0.0 if choices.gamma_centred or number % 2 else 0.5 for number in mesh]
    kpoints = orm.KpointsData()
    kpoints.set_cell(atoms.cell.array)
    kpoints.set_kpoints_mesh(mesh.tolist(), offset=shift)
    return kpoints


def _without_drift(atoms: Atoms) -> Atoms:
    """Take the velocity of the centre of mass off."""
    momenta = atoms.get_momenta()
    masses = atoms.get_masses()[:, None]
    atoms.set_momenta(momenta - masses * momenta.sum(axis=0) / masses.sum())
    return atoms


def _velocities(atoms: Atoms) -> orm.ArrayData:
    return orm.ArrayData({VELOCITIES: atoms.get_velocities() * units.fs})


def _read_contcar(retrieved: orm.FolderData, start: Atoms) -> Atoms | None:
    """Return the atoms of a CONTCAR with velocities, None if it is not whole."""
    if CONTCAR not in retrieved.base.repository.list_object_names():
        return None
    try:
        atoms: Atoms = ase.io.read(StringIO(retrieved.base.repository.get_object_content(CONTCAR)), format="vasp")
    except Exception:  # whatever the reader makes of a file that was torn
        return None
    whole = len(atoms) == len(start) and atoms.has("momenta")
    if not whole or not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.get_velocities()).all()):
        return None
    return atoms


def _last_two(run: VaspRun, start: Atoms) -> Atoms | None:
    """Return the last frame of a run with velocities from the two last ones, None if there are fewer."""
    step_fs = run.incar.get("POTIM")
    if len(run.steps) < 2 or not isinstance(step_fs, float):
        return None
    before, last = run.steps[-2:]
    moved = (last.positions - before.positions) @ np.linalg.inv(last.cell)
    moved -= np.rint(moved)
    atoms = Atoms(start.get_chemical_symbols(), positions=last.positions, cell=last.cell, pbc=True)
    atoms.set_velocities(moved @ last.cell / (step_fs * units.fs))
    return atoms


def starts_by_name(frames: Mapping[str, orm.TrajectoryData]) -> dict[str, list[int]]:
    """Return the numbers of the starting frames of each node, as `label_starts` counts them."""
    found: dict[str, list[int]] = {name: [] for name in sorted(frames, key=by_number)}
    for index, start in enumerate(starts_of(frames)):
        found[start.name].append(index)
    return found
