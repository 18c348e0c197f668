"""Sections of the page of a work chain; each is left out where there is nothing to tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiida import orm
from aiida.common.links import LinkType

from aiida_dnpmelt.calculations.melting_point import whole_runs
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.data.runs import from_node
from aiida_dnpmelt.physics.run import CoexistenceRun
from aiida_dnpmelt.report import held_out, learned, words
from aiida_dnpmelt.report.chains import LEARNING, TEACHER, Chain, called, namespace, output, state
from aiida_dnpmelt.report.citations import citations
from aiida_dnpmelt.report.costs import Costs, seeds
from aiida_dnpmelt.report.figures import coexistence_figure, temperatures_figure
from aiida_dnpmelt.report.html import Block, Items, Section, Table, Text, picture
from aiida_dnpmelt.report.learning_figures import (
    calibration_figure,
    curves_figure,
    deviations_figure,
    parity_figure,
    shifts_figure,
)
from aiida_dnpmelt.report.melting import temperatures

FORCE = "eV/Å"
_ACTIONS = {"again": "another iteration", "next_stage": "next stage", "stop": "stop"}


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
        provenance(chain, spent),
        Section("cite", "How to cite", [Items(citations("DeePMD-kit" in spent.versions))]),
    )
    return [section for section in made if section is not None and section.blocks]


def uncertainty(chain: Chain) -> Section | None:
    """Return T_m of the models and of the teacher beside each other, and the parts of the uncertainty."""
    points = {name: output(node, "melting_point") for name, node in chain.coexistence.items()}
    known = {name: point.get_dict() for name, point in points.items() if point is not None}
    if not known:
        return None
    result = output(chain.node, "melting")
    values = None if result is None else result.get_dict()
    blocks: list[Block] = []
    drawn = temperatures(known, values)
    if len(drawn) > 1:
        text = ", ".join(f"{each.name} {words.kelvin(*vars(each.measured).values())}" for each in drawn)
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
    blocks: list[Block] = [
        Text(
            "Above: temperature of the two-phase cell over time, which settles at the melting temperature. Below left: "
            "share of atoms in a solid surrounding. Below right: averaged q6 along the cell in the last frame, solid "
            "above the dotted line."
        )
    ]
    for name, node in chain.coexistence.items():
        runs = {label: run for label, run in _runs(node).items() if len(run.time_ps) > 1}
        if not runs:
            blocks.append(Text(f"{_title(name)}: no run has ended yet; the work chain is {state(node)}."))
            continue
        point = output(node, "melting_point")
        value = None if point is None else point["melting_temperature_k"]
        bounds = None if value is None else (point["interval_low_k"], point["interval_high_k"])
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
    return Section("coexistence", "Two-phase coexistence, run by run", blocks) if len(blocks) > 1 else None


def learning(chain: Chain) -> Section | None:
    """Return the course of the learning: what was decided, and why."""
    iterations = chain.iterations
    if not iterations:
        return None
    first = learned.first_frames(chain)
    blocks: list[Block] = [Text(f"{first} frames were labelled before the first training.")] if first else []
    rows = [
        (
            str(each.number),
            each.decision["stage"],
            str(each.decision["labels"]),
            _ACTIONS.get(each.decision["action"], each.decision["action"]),
            "; ".join(each.decision["reasons"]),
        )
        if each.decision is not None
        else (str(each.number), words.DASH, words.DASH, words.DASH, _under_way(each))
        for each in iterations
    ]
    columns = ("iteration", "stage", "labels so far", "then", "why")
    left = frozenset({"stage", "then", "why"})
    blocks.append(Table("What was decided after each exploration, and why.", columns, rows, left))
    return Section("learning", "Course of the learning", blocks)


def curves(chain: Chain) -> Section | None:
    """Return the learning curves of all models."""
    found = learned.curves(chain.iterations)
    if not any(len(curve.step) for curve in found):
        return None
    last = [curve for curve in found if curve.iteration == found[-1].iteration]
    known = [curve.validation if curve.validation is not None else curve.training for curve in last]
    ends = ", ".join(
        f"{curve.model} {errors[-1]:.3f} {FORCE}"
        for curve, errors in zip(last, known, strict=True)
        if errors is not None
    )
    return Section(
        "curves",
        "Learning curves",
        [
            picture(
                curves_figure(found),
                f"Rms errors of the forces along the trainings of {len({curve.iteration for curve in found})} "
                f"iterations. At the end: {ends}.",
                "Rms errors of the forces on batches of the training and of the validation frames, all trainings one "
                "after the other. The number at each line is that of the iteration.",
            )
        ],
    )


def deviations(chain: Chain) -> Section | None:
    """Return the deviations by iteration and temperature with the window of the selection."""
    found, windows = learned.deviations(chain.iterations), learned.windows(chain.iterations)
    if not found:
        return None
    last = [each for each in found if each.iteration == found[-1].iteration]
    ends = ", ".join(f"{each.run} at {each.temperature_k:.0f} K {words.decimals(each.quantile_95, 2)}" for each in last)
    window = windows[-1]
    rows = [
        (
            str(each.iteration),
            each.stage,
            each.run,
            f"{each.temperature_k:.0f}",
            words.decimals(each.quantile_95, 3),
            words.decimals(each.largest, 3),
            str(each.accurate),
            str(each.candidate),
            str(each.failed),
            str(each.taken),
        )
        for each in found
    ]
    columns = ("iteration", "stage", "run", "T / K", f"95 % / {FORCE}", f"largest / {FORCE}")
    counts = ("accurate", "candidates", "failed", "chosen")
    return Section(
        "deviations",
        "Deviation by iteration and temperature",
        [
            picture(
                deviations_figure(found, windows),
                f"Largest force deviations of the frames by iteration, run and temperature. 95 % quantiles in the last "
                f"iteration, in {FORCE}: {ends}; converged below {window.converged:.2f}, window {window.lower:.2f} to "
                f"{window.upper:.2f}.",
                f"Largest deviation of a force among the models in a frame: 95 % quantile (dots) and maximum "
                f"(triangles). Grey: the window in which frames are chosen for labels, in the last iteration "
                f"{window.lower:.3f} to {window.upper:.3f} {FORCE}; dashed: below {window.converged:.3f} {FORCE} a "
                "temperature is learned.",
            ),
            Table(
                "Frames of the explorations by their largest force deviation.",
                columns + counts,
                rows,
                frozenset({"stage", "run"}),
            ),
        ],
    )


def shifts(chain: Chain) -> Section | None:
    """Return the predicted shift of T_m by iteration."""
    found = learned.shifts(chain)
    if not found:
        return None
    plan = _input(chain.learning, "plan")
    target = None if plan is None else plan.get_dict().get("target_shift_k")
    models = sorted({model for shift in found for model in shift.by_model})
    rows = [
        (shift.name, *(words.signed(*shift.by_model.get(model, (None, None))) for model in models)) for shift in found
    ]
    last = ", ".join(f"{model} {words.signed(*values)} K" for model, values in found[-1].by_model.items())
    return Section(
        "shifts",
        "Predicted shift of T_m against the teacher",
        [
            Text(
                "Energies of the models and of their teacher are compared on the same unbiased frames of both phases: "
                "the difference between liquid and solid, over the latent heat, is the shift of T_m to first order. "
                "Forces alone do not tell it."
            ),
            picture(
                shifts_figure(found, target),
                f"Predicted shift of T_m by iteration; last ({found[-1].name}): {last}.",
                "Predicted shift of the T_m of each model against the teacher's, with 95 % intervals.",
            ),
            Table(
                "Predicted shift of T_m in K, with its standard uncertainty.",
                ("iteration", *models),
                rows,
                frozenset({"iteration"}),
            ),
        ],
    )


def calibration(chain: Chain) -> Section | None:
    """Return what the deviation is worth: the true errors beside it."""
    found = learned.calibrations(chain)
    if not found:
        return None
    rows = [
        (
            each.name,
            str(each.numbers["frames"]),
            words.decimals(each.numbers["rms_deviation_ev_per_angstrom"], 3),
            words.decimals(each.numbers["rms_error_ev_per_angstrom"], 3),
            words.decimals(each.numbers["ratio_error_to_deviation"], 2),
            words.decimals(each.numbers["ratio_if_independent"], 2),
            words.decimals(each.numbers["spearman_by_atom"], 2),
            words.decimals(each.numbers["spearman_by_frame"], 2),
            words.decimals(100 * each.numbers["share_beyond"][1], 1),
        )
        for each in found
    ]
    columns = (
        "iteration",
        "frames",
        f"rms deviation / {FORCE}",
        f"rms error / {FORCE}",
        "error : deviation",
        "if independent",
        "rank corr., atoms",
        "rank corr., frames",
        "beyond 2 deviations / %",
    )
    last = found[-1].numbers
    return Section(
        "calibration",
        "What the deviation is worth",
        [
            picture(
                calibration_figure(found),
                f"Error of the forces over their deviation. Last: rms error {last['rms_error_ev_per_angstrom']:.3f} "
                f"{FORCE}, rms deviation {last['rms_deviation_ev_per_angstrom']:.3f} {FORCE}, rank correlation over "
                f"atoms {words.decimals(last['spearman_by_atom'], 2)}.",
                "Deviation of the forces among the models against their true error, on frames that were labelled after "
                "the models had been trained. The line is what models with independent errors would show; an error "
                "above it is common to all models, and no deviation shows it.",
            ),
            Table(
                "Deviation and true error of the forces, atom by atom. The last column is the share of atoms on which "
                "the mean of the models is off by more than twice the deviation.",
                columns,
                rows,
                frozenset({"iteration"}),
            ),
        ],
    )


def parity(chain: Chain) -> Section | None:
    """Return the models beside their teacher on frames that they were not trained on."""
    explorations = held_out.held_out(chain)
    found = held_out.parity(explorations)
    if not found:
        return None
    errors = held_out.errors(explorations)
    largest = {
        phase: max(each.rmse_force_ev_per_angstrom for each in errors if each.phase == phase)
        for phase in dict.fromkeys(each.phase for each in errors)
    }
    rows = [
        (
            each.exploration,
            each.frames_of,
            each.model,
            str(each.frames),
            words.decimals(each.rms_force_ev_per_angstrom, 3),
            words.decimals(each.rmse_force_ev_per_angstrom, 3),
            words.decimals(each.rmse_energy_mev_per_atom, 2),
            words.decimals(each.energy_offset_mev_per_atom, 2),
        )
        for each in errors
    ]
    columns = (
        "exploration",
        "frames of",
        "model",
        "frames",
        f"rms force / {FORCE}",
        f"force rmse / {FORCE}",
        "energy rmse / meV/atom",
        "energy offset / meV/atom",
    )
    worst = ", ".join(f"{phase} {value:.3f} {FORCE}" for phase, value in largest.items())
    return Section(
        "parity",
        "Models against their teacher on held-out frames",
        [
            picture(
                parity_figure(found),
                f"Forces and energies of the models over the teacher's. Largest force rmse of any model: {worst}.",
                "Forces (above), and energies less the teacher's mean (below), of the models over those of their "
                "teacher. No model was trained on any of these frames. Sets named candidates were chosen by their "
                "deviation and are harder than most; those named check are unbiased.",
            ),
            Table(
                "Errors of each model on each set of held-out frames.",
                columns,
                rows,
                frozenset({"exploration", "frames of", "model"}),
            ),
        ],
    )


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
            words.hours(each.core_hours),
        )
        for each in [*spent.stages, spent.total]
    ]
    columns = ("stage", "jobs", "labels", "atom-steps / 10⁶", "core-hours")
    blocks: list[Block] = [Table("Labels and cost by stage.", columns, rows, frozenset({"stage"}))]
    total = spent.total
    if total.unknown:
        blocks.append(Text(f"The cost of {total.unknown} jobs is not known: they run, were killed, or left no output."))
    if total.cached:
        blocks.append(Text(f"{total.cached} jobs came from the cache: their cost is that of the first time."))
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
    protocol = _input(chain.node, "protocol")
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


def _parts(values: Mapping[str, Any]) -> Table:
    shift = words.signed(values["predicted_shift_k"], values["predicted_shift_uncertainty_k"])
    rows = [
        ("statistical", words.decimals(values["statistical_uncertainty_k"], 1), "of the mean over the models' runs"),
        ("spread between models", words.decimals(values["spread_of_models_k"], 1), "standard deviation of their T_m"),
        (
            "potential",
            shift,
            "mean predicted shift against the teacher; part of the total uncertainty, not subtracted from T_m",
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
        for name, model in values["models"].items()
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
    rows = [(label, outcome["state"], "; ".join(outcome["reasons"])) for label, outcome in outcomes.items()]
    columns = ("run", "state", "why")
    return Table(f"{_title(name)}: outcome of each run.", columns, rows, frozenset(columns))


def _runs(node: orm.WorkChainNode) -> dict[str, CoexistenceRun]:
    """Return the whole runs of a coexistence work chain; while it runs, those whose work chains have ended."""
    found = namespace(node, "runs")
    pieces = [found[name] for name in sorted(found, key=lambda name: name.rpartition("_")[2])]
    if not pieces:
        children = [child for child in called(node).values() if isinstance(child, orm.WorkChainNode)]
        pieces = [run for run in (output(child, "run") for child in children) if run is not None]
    return whole_runs([from_node(piece) for piece in pieces])


def _title(name: str) -> str:
    if not name:
        return "Coexistence"
    return "Coexistence of the teacher" if name == TEACHER else f"Coexistence of {name}"


def _under_way(each: Any) -> str:
    last = each.exploration if each.exploration is not None else each.training
    step = "exploration" if each.exploration is not None else "training"
    return f"no decision: {step} {state(last)}"


def _potentials(chain: Chain) -> Iterator[tuple[str, PotentialData]]:
    teacher = _input(chain.node, TEACHER) or _input(chain.learning, "labelling__potential")
    if isinstance(teacher, PotentialData):
        yield TEACHER, teacher
    own = _input(chain.node, "potential")
    if isinstance(own, PotentialData):
        yield "potential", own
    source = chain.node if chain.kind == LEARNING else chain.learning
    yield from sorted(namespace(source, "potentials").items())


def _input(node: orm.ProcessNode | None, label: str) -> Any:
    """Return an input by the label of its link, None if there is none."""
    if node is None:
        return None
    link = node.base.links.get_incoming(link_type=LinkType.INPUT_WORK, link_label_filter=label).first()
    return None if link is None else link.node
