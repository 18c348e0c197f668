"""Sections of the page on the learning; each is left out where there is nothing to tell."""

from __future__ import annotations

from typing import Any

from aiida_dnpmelt.physics.learning import ENDED
from aiida_dnpmelt.physics.ordering import by_number
from aiida_dnpmelt.report import held_out, learned, words
from aiida_dnpmelt.report.chains import Chain, given, state
from aiida_dnpmelt.report.html import Block, Section, Table, Text, picture
from aiida_dnpmelt.report.learning_figures import (
    calibration_figure,
    curves_figure,
    deviations_figure,
    parity_figure,
    shifts_figure,
)

FORCE = "eV/Å"
_ACTIONS = {"again": "another iteration", "next_stage": "next stage", "stop": "stop"}


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
            *_short_runs(found),
        ],
    )


def _short_runs(found: list[learned.Deviation]) -> list[Block]:
    """Return a table of the runs that did not come to their end, none if all did."""
    rows = [
        (
            str(each.iteration),
            each.stage,
            each.run,
            f"{each.temperature_k:.0f}",
            str(each.accurate + each.candidate + each.failed),
            ENDED[each.ended].removeprefix("it "),
        )
        for each in found
        if each.ended is not None and each.ended in ENDED
    ]
    if not rows:
        return []
    columns = ("iteration", "stage", "run", "T / K", "frames", "what ended it")
    left = frozenset({"stage", "run", "what ended it"})
    return [Table("Runs that did not come to their end at a temperature.", columns, rows, left)]


def shifts(chain: Chain) -> Section | None:
    """Return the predicted shift of T_m by iteration."""
    found = learned.shifts(chain)
    if not found:
        return None
    plan = given(chain.learning, "plan")
    target = None if plan is None else plan.get_dict().get("target_shift_k")
    models = sorted({model for shift in found for model in shift.by_model}, key=by_number)
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


def _under_way(each: Any) -> str:
    last = each.exploration if each.exploration is not None else each.training
    step = "exploration" if each.exploration is not None else "training"
    return f"no decision: {step} {state(last)}"
