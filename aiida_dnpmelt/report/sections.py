"""Sections of the page of a work chain; each is left out where there is nothing to tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiida import orm

from aiida_dnpmelt.calculations.melting_point import judged, whole_runs
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.data.runs import from_node
from aiida_dnpmelt.physics.ordering import by_number, ordered
from aiida_dnpmelt.physics.run import CoexistenceRun
from aiida_dnpmelt.provenance.audit import STATES, audit, count
from aiida_dnpmelt.provenance.intervals import interval_of
from aiida_dnpmelt.report import words
from aiida_dnpmelt.report.chains import LEARNING, TEACHER, Chain, called, clause, given, namespace, output, state
from aiida_dnpmelt.report.citations import citations
from aiida_dnpmelt.report.costs import Costs, seeds
from aiida_dnpmelt.report.figures import coexistence_figure, temperatures_figure
from aiida_dnpmelt.report.html import Block, Items, Picture, Section, Table, Text, picture
from aiida_dnpmelt.report.learning_sections import calibration, curves, deviations, learning, parity, shifts
from aiida_dnpmelt.report.melting import temperatures

_COEXISTENCE = (
    "Above: temperature of the two-phase cell over time, which settles at the melting temperature. Below left: share "
    "of atoms in a solid surrounding. Below right: averaged q6 along the cell in the last frame, solid above the "
    "dotted line."
)
"""What the figures of coexistence show."""


def sections(chain: Chain, spent: Costs) -> list[Section]:
    """Return the sections that there is something to tell in, in their order."""
    made = (
        uncertainty(chain),
        coexistence(chain),
        learning(chain),
        curves(chain),
        deviations(chain),
        shifts(chain),
        calibration(chain),
        parity(chain),
        cost(spent),
        checks(chain),
        provenance(chain, spent),
        Section("cite", "How to cite", [Items(_cited(spent))]),
    )
    return [section for section in made if section is not None and section.blocks]


def checks(chain: Chain) -> Section | None:
    """Return what the checks of the result found, the gravest first; none without a result."""
    result = output(chain.node, "melting") or output(chain.node, "melting_point")
    if result is None:
        return None
    found = sorted(audit(result.pk), key=lambda finding: STATES.index(finding.state))
    table = Table(
        f"What a referee asks first: {count(found)}. Doubted is not wrong: it is what to look at.",
        ("state", "check", "reason"),
        [(finding.state, finding.check, finding.reason) for finding in found],
        left=frozenset(("state", "check", "reason")),
    )
    return Section("checks", "Checks", [table])


def uncertainty(chain: Chain) -> Section | None:
    """Return T_m of the models and of the teacher beside each other, and the parts of the uncertainty."""
    points = {name: output(node, "melting_point") for name, node in chain.coexistence.items()}
    known = {name: judged(point.get_dict()) for name, point in points.items() if point is not None}
    if not known:
        return None
    result = output(chain.node, "melting")
    values = None if result is None else result.get_dict()
    blocks: list[Block] = []
    drawn = temperatures(known, values)
    if len(drawn) > 1:
        text = ", ".join(f"{each.name} {words.kelvin(each.measured.value_k, each.measured.total_k)}" for each in drawn)
        blocks.append(
            picture(
                temperatures_figure(drawn),
                f"Melting temperatures with their 95 % intervals: {text}.",
                "Melting temperatures with their 95 % intervals. Those of single models are of their runs alone.",
            )
        )
    if values is not None:
        blocks += [_parts(values), _models(values)]
    else:
        blocks.append(_points(known))
    return Section("temperatures", "Melting temperatures and their parts", blocks)


def coexistence(chain: Chain) -> Section | None:
    """Return temperature, solid fraction and order of all runs, a figure for each potential."""
    blocks: list[Block] = []
    for name, node in chain.coexistence.items():
        runs = {label: run for label, run in _runs(node).items() if len(run.time_ps) > 1}
        if not runs:
            none = "no run has ended" if node.is_terminated else "no run has ended yet"
            blocks.append(Text(f"{_title(name)}: {none}; the work chain {clause(node)}."))
            continue
        point = output(node, "melting_point")
        value = None if point is None else point["melting_temperature_k"]
        bounds = None if value is None else interval_of(point.get_dict())
        longest = max(run.length_ps for run in runs.values())
        what = f"{_title(name)}: {len(runs)} {'run' if len(runs) == 1 else 'runs'}, up to {longest:.0f} ps"
        ends = ", ".join(
            f"{label} from {run.solid_fraction[0]:.2f} to {run.solid_fraction[-1]:.2f}"
            for label, run in runs.items()
            if len(run.solid_fraction)
        )
        number = "no T_m" if value is None else f"T_m {words.kelvin(value, point['standard_uncertainty_k'])}"
        blocks.append(
            picture(
                coexistence_figure(runs, value, bounds),
                f"{what}; {number}. Solid fraction at the beginning and at the end: {ends}.",
                f"{what}; {number}.",
            )
        )
        outcomes = output(node, "assessment")
        if outcomes is not None:
            blocks.append(_outcomes(name, outcomes.get_dict()["outcomes"]))
    if any(isinstance(block, Picture) for block in blocks):
        blocks.insert(0, Text(_COEXISTENCE))
    return Section("coexistence", "Two-phase coexistence, run by run", blocks) if blocks else None


def cost(spent: Costs) -> Section | None:
    """Return labels and cost by stage."""
    if not spent.stages:
        return None
    rows = [
        (
            each.stage,
            str(each.jobs),
            str(each.labels) if each.labels else words.DASH,
            words.millions(each.atom_steps) if each.atom_steps else words.DASH,
            words.core_hours(each.jobs, each.unknown, each.core_hours),
        )
        for each in [*spent.stages, spent.total]
    ]
    columns = ("stage", "jobs", "labels", "atom-steps / 10⁶", "core-hours")
    blocks: list[Block] = [Table("Labels and cost by stage.", columns, rows, frozenset({"stage"}))]
    blocks += [Text(remark) for remark in spent.total.remarks]
    return Section("cost", "Labels and cost", blocks)


def provenance(chain: Chain, spent: Costs) -> Section:
    """Return what a repetition needs: versions, seeds, potentials, and the steps with their nodes."""
    versions = [(name, ", ".join(values)) for name, values in spent.versions.items()]
    chosen = list(seeds(chain.node).items())
    steps = [
        (label, str(child.process_label or ""), str(child.pk), state(child))
        for label, child in called(chain.node).items()
        if isinstance(child, orm.WorkChainNode)
    ]
    potentials = [
        (name, node.label, node.uuid, node.sha256[:16], node.base.attributes.get("origin", "") or words.DASH)
        for name, node in _potentials(chain)
    ]
    protocol = given(chain.node, "protocol")
    blocks: list[Block] = [
        Text(
            f"Work chain {chain.node.pk}, UUID {chain.node.uuid}, begun {chain.node.ctime:%Y-%m-%d %H:%M} UTC"
            + ("" if protocol is None else f", protocol {protocol.value}")
            + ". All inputs, steps and outputs of every job are in the provenance graph of its profile."
        )
    ]
    tables = (
        Table("Programs of all jobs.", ("program", "version"), versions, frozenset({"program", "version"})),
        Table(
            "Seeds: the same inputs and seeds make the same input files.",
            ("input", "seeds"),
            chosen,
            frozenset({"input", "seeds"}),
        ),
        Table(
            "Potentials.",
            ("name", "label", "UUID", "SHA-256", "origin"),
            potentials,
            frozenset({"name", "label", "UUID", "SHA-256", "origin"}),
        ),
        Table(
            "Steps of the work chain.",
            ("step", "process", "PK", "state"),
            steps,
            frozenset({"step", "process", "state"}),
        ),
    )
    return Section(
        "provenance", "Versions, seeds and provenance", [*blocks, *(table for table in tables if table.rows)]
    )


def _cited(spent: Costs) -> list[str]:
    """Return what to cite: the programs whose versions the jobs tell."""
    return citations(*(program in spent.versions for program in ("DeePMD-kit", "LAMMPS", "VASP")))


def _parts(values: Mapping[str, Any]) -> Table:
    shift = words.signed(values["predicted_shift_k"], values["predicted_shift_uncertainty_k"])
    rows = [
        ("statistical", words.decimals(values["statistical_uncertainty_k"], 1), "of the mean over the models' runs"),
        (
            "time step",
            words.decimals(values.get("timestep_uncertainty_k"), 1),
            "shared by all models: not averaged out",
        ),
        ("spread between models", words.decimals(values["spread_of_models_k"], 1), "standard deviation of their T_m"),
        (
            "potential",
            shift,
            "mean predicted shift against the teacher; part of the total uncertainty, not subtracted from T_m",
        ),
        (
            "second order",
            words.signed(values["second_order_k"]),
            "next term of that shift, by which it may be wrong; part of both uncertainties",
        ),
        ("total", words.decimals(values["standard_uncertainty_k"], 1), "standard uncertainty of T_m"),
    ]
    return Table(
        "Parts of the uncertainty of T_m.", ("part", "K", "what it is"), rows, frozenset({"part", "what it is"})
    )


def _models(values: Mapping[str, Any]) -> Table:
    rows = [
        (
            name,
            words.bare(model["melting_temperature_k"], model["standard_uncertainty_k"]),
            words.decimals(model["between_runs_k"], 1),
            words.signed(model["predicted_shift_k"], model["predicted_shift_uncertainty_k"]),
            model["verdict"],
        )
        for name, model in ordered(values["models"]).items()
    ]
    columns = ("model", "T_m / K", "between runs / K", "predicted shift / K", "verdict")
    return Table("Models, each with its own coexistence.", columns, rows, frozenset({"model", "verdict"}))


def _points(points: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [
        (
            name or point["potential_label"],
            words.bare(point["melting_temperature_k"], point["standard_uncertainty_k"]),
            words.interval(point["interval_low_k"], point["interval_high_k"]),
            words.decimals(point.get("statistical_uncertainty_k"), 1),
            words.decimals(point.get("timestep_uncertainty_k"), 1),
            point["verdict"],
        )
        for name, point in points.items()
    ]
    columns = ("potential", "T_m / K", "95 % interval", "statistical / K", "time step / K", "verdict")
    return Table("Melting temperatures.", columns, rows, frozenset({"potential", "verdict"}))


def _outcomes(name: str, outcomes: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [(label, outcome["state"], "; ".join(outcome["reasons"])) for label, outcome in ordered(outcomes).items()]
    columns = ("run", "state", "why")
    return Table(f"{_title(name)}: outcome of each run.", columns, rows, frozenset(columns))


def _runs(node: orm.WorkChainNode) -> dict[str, CoexistenceRun]:
    """Return the whole runs of a coexistence work chain; while it runs, those whose work chains have ended."""
    found = namespace(node, "runs")
    pieces = [found[name] for name in sorted(found, key=lambda name: by_number(name.rpartition("_")[2]))]
    if not pieces:
        children = [child for child in called(node).values() if isinstance(child, orm.WorkChainNode)]
        pieces = [run for run in (output(child, "run") for child in children) if run is not None]
    return whole_runs([from_node(piece) for piece in pieces])


def _title(name: str) -> str:
    if not name:
        return "Coexistence"
    return "Coexistence of the teacher" if name == TEACHER else f"Coexistence of {name}"


def _potentials(chain: Chain) -> Iterator[tuple[str, PotentialData]]:
    teacher = given(chain.node, TEACHER) or given(chain.learning, "labelling__potential")
    if isinstance(teacher, PotentialData):
        yield TEACHER, teacher
    own = given(chain.node, "potential")
    if isinstance(own, PotentialData):
        yield "potential", own
    source = chain.node if chain.kind == LEARNING else chain.learning
    yield from namespace(source, "potentials").items()
