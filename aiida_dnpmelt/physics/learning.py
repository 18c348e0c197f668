"""When adaptive learning is enough: by the deviation within the committee, and by what it means for T_m."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiida_dnpmelt.physics.notation import signed
from aiida_dnpmelt.physics.ordering import ordered

UNREPORTED = "unreported"
ENDED = {
    "bounds": "it ran out of bounds",
    "deviation": "its deviation ended it",
    "exploded": "it exploded",
    "cut": "it was cut",
    "not_started": "it was not begun",
    UNREPORTED: "a planned temperature is missing in its report",
}
"""What ended a run at a temperature before its time, in words."""
_BURST = ("bounds", "exploded")


@dataclass(frozen=True)
class TemperatureState:
    """How well the models agree at one temperature of a run, and how far they came there.

    :param run: name of the run.
    :param temperature_k: in K; None for a run of which nothing is left.
    :param deviation: measure of the largest force deviations of its frames in eV/Angstrom; None without frames.
    :param frames: frames that it left, None if that is not known.
    :param planned: frames that it should leave.
    :param usable: frames whose deviation is not above the upper threshold, None if that is not known.
    :param ended: ``complete`` or a key of `ENDED`, None if that is not known.
    """

    run: str
    temperature_k: float | None
    deviation: float | None
    frames: int | None = None
    planned: int | None = None
    usable: int | None = None
    ended: str | None = None


@dataclass(frozen=True)
class Shift:
    """Predicted shift of T_m of each model against its teacher.

    :param by_model_k: in K.
    :param uncertainty_by_model_k: standard uncertainties in K.
    :param off_phase: the phase whose energies are off the most.
    """

    by_model_k: Mapping[str, float]
    uncertainty_by_model_k: Mapping[str, float]
    off_phase: str


@dataclass(frozen=True)
class Limits:
    """What ends the learning.

    :param converged_ev_per_angstrom: deviation below which a temperature is learned.
    :param target_shift_k: largest shift of T_m of any model in K; None if none is asked for.
    :param iterations: most explorations.
    :param labels: labels after which no exploration is begun.
    :param frames_share: least share of the planned frames that a temperature that is learned has left.
    """

    converged_ev_per_angstrom: float
    target_shift_k: float | None
    iterations: int
    labels: int
    frames_share: float = 1.0


@dataclass(frozen=True)
class Decision:
    """What comes next, and why.

    :param action: ``again``, ``next_stage`` or ``stop``.
    :param converged: whether the stage has been learned.
    :param reasons: sentences with numbers and units.
    :param failed: temperatures that are not learned.
    :param emphasis: phase of which more frames are wanted, None for no difference.
    """

    action: str
    converged: bool
    reasons: tuple[str, ...]
    failed: tuple[TemperatureState, ...] = ()
    emphasis: str | None = None


@dataclass(frozen=True)
class Progress:
    """How far the learning is.

    :param iteration: explorations so far.
    :param labels: labels that this learning has made so far.
    :param last_stage: whether no stage comes after this one.
    """

    iteration: int
    labels: int
    last_stage: bool = field(default=True)


def decide(states: Sequence[TemperatureState], shift: Shift | None, limits: Limits, progress: Progress) -> Decision:
    """Return what comes after an exploration.

    A stage is learned when the run at each temperature has come to its end and the deviation there is below its
    threshold; the last one, if a target is given, when also no model's predicted shift of T_m exceeds it, nor the
    uncertainty of that shift.

    :param states: of all temperatures that were planned.
    :param shift: None if it is not known.
    """
    found = {state: _reasons(state, limits) for state in states}
    failed = tuple(state for state, reasons in found.items() if reasons)
    reasons = [reason for state in failed for reason in found[state]]
    asked = progress.last_stage and limits.target_shift_k is not None
    shift_reasons = _shift_reasons(shift, limits.target_shift_k) if asked and limits.target_shift_k else []
    reasons += shift_reasons
    emphasis = shift.off_phase if shift is not None and shift_reasons else None
    if not reasons:
        good = f"every deviation is below {limits.converged_ev_per_angstrom:.3f} eV/Angstrom"
        if asked and shift is not None:
            largest = max(abs(value) for value in shift.by_model_k.values())
            good += f", and no model shifts T_m by more than {largest:.0f} K"
        if progress.last_stage:
            return Decision("stop", True, (good,))
        if (bound := _bound(limits, progress)) is not None:
            return Decision("stop", True, (good, f"{bound}, but stages are left"))
        return Decision("next_stage", True, (good,))
    bound = _bound(limits, progress)
    if bound is not None:
        return Decision("stop", False, (bound, *reasons), failed)
    return Decision("again", False, tuple(reasons), failed, emphasis)


def _bound(limits: Limits, progress: Progress) -> str | None:
    """Return what forbids another exploration."""
    if progress.iteration >= limits.iterations:
        return f"{progress.iteration} of {limits.iterations} iterations are done"
    if progress.labels >= limits.labels:
        return f"{progress.labels} labels have been made, the budget is {limits.labels}"
    return None


def shortfall(state: TemperatureState, frames_share: float = 1.0) -> str | None:
    """Return what a run at a temperature lacks of what was planned, and why; None if nothing is known to be lacking.

    :param frames_share: share of the planned frames that is enough, unless the run burst.
    """
    if state.frames is None:
        lacking = state.deviation is None
    else:
        wanted = 1.0 if state.planned is None else frames_share * state.planned
        lacking = state.frames < wanted or state.ended in _BURST
    if not lacking:
        return None
    left = f"left {state.frames} of {state.planned} frames" if state.frames else "left no frame"
    why = f": {ENDED[state.ended]}" if state.ended in ENDED else ""
    return f"{_place(state)} {left}{why}"


def _reasons(state: TemperatureState, limits: Limits) -> list[str]:
    """Return why a temperature is not learned, nothing if it is."""
    lacking = shortfall(state, limits.frames_share)
    reasons = [] if lacking is None else [lacking]
    if state.frames and (state.usable == 0 or state.deviation is None):
        reasons.append(f"{_place(state)}: no frame is below the upper threshold")
    elif state.deviation is not None and state.deviation > limits.converged_ev_per_angstrom:
        above = f"is above {limits.converged_ev_per_angstrom:.3f}"
        reasons.append(f"{_place(state)}: deviation {state.deviation:.3f} eV/Angstrom {above}")
    return reasons


def _place(state: TemperatureState) -> str:
    return state.run if state.temperature_k is None else f"{state.run} at {state.temperature_k:.0f} K"


def _shift_reasons(shift: Shift | None, target_k: float) -> list[str]:
    if shift is None:
        return ["the shift of T_m is not known: too few frames stayed solid and liquid"]
    return [
        f"{model}: predicted shift of T_m {signed(value, shift.uncertainty_by_model_k[model])} K, the target is "
        f"{target_k:g} K"
        for model, value in ordered(shift.by_model_k).items()
        if max(abs(value), shift.uncertainty_by_model_k[model]) > target_k
    ]
