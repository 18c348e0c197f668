"""What the work chain of the whole has to say, as text, as a figure, and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiida.tools.workflows import WorkflowTools

from aiida_dnpmelt.physics.error_budget import Measured
from aiida_dnpmelt.provenance.intervals import interval_of
from aiida_dnpmelt.report import words
from aiida_dnpmelt.report.chains import TEACHER, find_chain, output
from aiida_dnpmelt.report.figures import Temperature, page_style, temperatures_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class MeltingTools(WorkflowTools):
    """Reached as ``node.tools`` of the node of a `MeltingWorkChain`."""

    def summary(self) -> str:
        """Return T_m with its parts, the verdict and the reasons for it, in a few lines.

        :raises ValueError: if the work chain has no result (yet).
        """
        return melting_text(self._result())

    def plot(self) -> Figure:
        """Return a figure of T_m of the models and of the teacher with 95 % intervals; save it by ``savefig``.

        :raises ValueError: if the work chain has no result (yet).
        :raises ImportError: without the extra ``[report]``.
        """
        points = {
            name: node.outputs.melting_point.get_dict()
            for name, node in find_chain(self._node).coexistence.items()
            if output(node, "melting_point") is not None
        }
        with page_style():
            return temperatures_figure(temperatures(points, self._result()))

    def _result(self) -> dict[str, Any]:
        found = output(self._node, "melting")
        if found is None:
            raise ValueError(f"work chain {self._node.pk} has no result: its state is {self._node.process_state}")
        return dict(found.get_dict())


def melting_text(result: Mapping[str, Any]) -> str:
    """Return the result of the whole chain as text: the number, its parts, the verdict, and what stands beside it."""
    lines = [
        f"{result['element']} ({result['lattice']}) at {result['pressure_gpa']:g} GPa, {len(result['models'])} models",
        f"T_m = {words.kelvin(result['melting_temperature_k'], result['standard_uncertainty_k'])}   95 % interval "
        f"{words.interval(result['interval_low_k'], result['interval_high_k'])}",
        f"verdict: {result['verdict']}",
        *(f"  - {reason}" for reason in result["reasons"]),
        f"statistical {words.decimals(result['statistical_uncertainty_k'], 1)} K, {_timestep(result)}spread between "
        "models "
        f"{words.decimals(result['spread_of_models_k'], 1)} K, predicted shift "
        f"{words.signed(result['predicted_shift_k'], result['predicted_shift_uncertainty_k'])} K, second order "
        f"{words.signed(result['second_order_k'])} K",
    ]
    if result["corrected_melting_temperature_k"] is not None:
        lines.append(
            "corrected to the teacher: "
            f"{words.kelvin(result['corrected_melting_temperature_k'], result['corrected_uncertainty_k'])}"
        )
    if result["teacher_melting_temperature_k"] is not None:
        own = words.kelvin(result["teacher_melting_temperature_k"], result["teacher_uncertainty_k"])
        lines.append(f"the teacher's own: {own} ({result['teacher_verdict']}); {'; '.join(agreements(result))}")
    number = result["iterations"]
    lines.append(f"{result['labels']} labels in {number} iteration{'' if number == 1 else 's'}")
    return "\n".join(lines)


def _timestep(result: Mapping[str, Any]) -> str:
    """Return the part of the time step in words; results of earlier versions have it in the statistical one."""
    known = result.get("timestep_uncertainty_k")
    return "" if known is None else f"time step {words.decimals(known, 1)} K, "


def agreements(result: Mapping[str, Any]) -> list[str]:
    """Return in words whether T_m, raw and corrected, agrees with the teacher's own."""
    found = []
    for name, prefix in (("T_m", ""), ("corrected T_m", "corrected_")):
        if result[f"{prefix}agrees"] is not None:
            difference = words.signed(result[f"{prefix}difference_k"], result[f"{prefix}difference_uncertainty_k"])
            verb = "agrees" if result[f"{prefix}agrees"] else "does not agree"
            found.append(f"{name} differs by {difference} K: it {verb} within 95 %")
    return found


def temperatures(points: Mapping[str, Mapping[str, Any]], result: Mapping[str, Any] | None) -> list[Temperature]:
    """Return the temperatures that are known: of each model, raw and corrected of all, and of the teacher.

    :param points: melting points by model; that of the teacher is named ``teacher``.
    :param result: of the whole chain, None if there is none (yet).
    """
    models = [_temperature(name, point) for name, point in points.items() if name != TEACHER]
    both = []
    if result is not None:
        both = [
            _temperature("T_m of the models, total uncertainty", result, kind="mean"),
            _temperature("corrected to the teacher", result, "corrected_", kind="mean"),
        ]
    own = [_temperature("the teacher's own", points[TEACHER], kind="mean")] if TEACHER in points else []
    return [each for each in (*models, *both, *own) if each is not None]


def _temperature(name: str, values: Mapping[str, Any], prefix: str = "", kind: str = "model") -> Temperature | None:
    """Return a temperature of a result with the interval that is on record; None if there is no temperature."""
    value = values[f"{prefix}melting_temperature_k"]
    uncertainty = values["corrected_uncertainty_k" if prefix else "standard_uncertainty_k"]
    if value is None or uncertainty is None:
        return None
    return Temperature(name, Measured(value, uncertainty), kind, interval_of(values, prefix))
