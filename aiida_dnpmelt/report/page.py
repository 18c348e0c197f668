"""The page of a work chain: its headline and its sections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common import timezone

from aiida_dnpmelt import __version__
from aiida_dnpmelt.calculations.melting_point import judged
from aiida_dnpmelt.report import learned, words
from aiida_dnpmelt.report.chains import LEARNING, MELTING, TPC, Chain, called, clause, find_chain, output, state
from aiida_dnpmelt.report.costs import costs
from aiida_dnpmelt.report.figures import page_style
from aiida_dnpmelt.report.html import Card, Page, render
from aiida_dnpmelt.report.melting import agreements
from aiida_dnpmelt.report.sections import sections


def write_html(node: orm.Node) -> str:
    """Return the page of a work chain as HTML, a file that needs nothing beside it.

    :raises ValueError: if the node is no work chain that has a page.
    :raises ImportError: without the extra ``[report]``.
    """
    return render(make_page(find_chain(node)))


def make_page(chain: Chain) -> Page:
    """Return the page of a work chain, with what there is so far."""
    with page_style():
        body = sections(chain, costs(chain))
    made = timezone.now()
    headline = _HEADLINES[chain.kind](chain)
    return Page(
        title=headline["title"],
        subtitle=headline["subtitle"],
        state=_state(chain),
        verdict=headline.get("verdict"),
        good=headline.get("good", False),
        cards=headline["cards"],
        reasons=headline.get("reasons", []),
        sections=body,
        footer=f"Made by aiida-dnpmelt {__version__} on {made:%Y-%m-%d} from work chain {chain.node.uuid}. Numbers in "
        "brackets are standard uncertainties in units of the last digits: 1331(4) K is 1331 K with u = 4 K.",
    )


def _state(chain: Chain) -> str | None:
    """Return what is to be said of a work chain that has not finished well."""
    node = chain.node
    if node.is_finished_ok:
        return None
    if not node.is_terminated:
        return f"The work chain {clause(node)}. This page shows what there is so far. {node.process_status or ''}"
    failed = [
        f"{label}: {state(child)}"
        for label, child in called(node).items()
        if child.is_terminated and not child.is_finished_ok
    ]
    named = f" Steps that did not end well: {'; '.join(failed)}." if failed else ""
    return f"The work chain {clause(node)}. This page shows what it left.{named}"


def _no_temperature(chain: Chain) -> Card:
    """Return the card of a work chain that has no T_m: it may still come, unless the chain has ended."""
    return Card(
        "T_m", "none, the work chain ended without one" if chain.node.is_terminated else "not known yet", main=True
    )


def _melting(chain: Chain) -> dict[str, Any]:
    """Return the headline of the whole chain."""
    found = output(chain.node, "melting")
    if found is None:
        learning = _learning(chain) if chain.learning is not None else {"cards": [], "subtitle": ""}
        return {
            "title": f"Melting temperature of {_element(chain)}",
            "subtitle": "by two-phase coexistence with models that were learned from a teacher",
            "cards": [_no_temperature(chain), *learning["cards"]],
        }
    result = found.get_dict()
    return {
        "title": f"Melting temperature of {result['element']}",
        "subtitle": f"{result['lattice']}, {result['pressure_gpa']:g} GPa; two-phase coexistence with "
        f"{len(result['models'])} models that were learned from a teacher",
        "verdict": result["verdict"],
        "good": result["verdict"] == "valid",
        "reasons": result["reasons"],
        "cards": _melting_cards(result),
    }


def _melting_cards(result: Mapping[str, Any]) -> list[Card]:
    shift = words.signed(result["predicted_shift_k"], result["predicted_shift_uncertainty_k"])
    corrected = words.interval(result["corrected_interval_low_k"], result["corrected_interval_high_k"])
    cards = [
        Card(
            "T_m of the models",
            words.kelvin(result["melting_temperature_k"], result["standard_uncertainty_k"]),
            (
                f"95 % interval {words.interval(result['interval_low_k'], result['interval_high_k'])}",
                f"statistical {words.decimals(result['statistical_uncertainty_k'], 1)} K, spread between models "
                f"{words.decimals(result['spread_of_models_k'], 1)} K, potential (predicted shift) {shift} K",
            ),
            main=True,
        ),
        Card(
            "Corrected to the teacher",
            words.kelvin(result["corrected_melting_temperature_k"], result["corrected_uncertainty_k"]),
            (
                f"95 % interval {corrected}",
                "T_m less the predicted shift, to first order; beside T_m, not instead of it",
            )
            if result["corrected_melting_temperature_k"] is not None
            else ("no predicted shift is known",),
        ),
    ]
    if result["teacher_melting_temperature_k"] is not None:
        cards.append(
            Card(
                "The teacher's own T_m",
                words.kelvin(result["teacher_melting_temperature_k"], result["teacher_uncertainty_k"]),
                (f"by the same method, verdict {result['teacher_verdict']}", *agreements(result)),
            )
        )
    return cards


def _learning(chain: Chain) -> dict[str, Any]:
    """Return the headline of the learning."""
    decisions = [each.decision for each in chain.iterations if each.decision is not None]
    found, last = learned.shifts(chain), decisions[-1] if decisions else None
    converged = last is not None and last["converged"] and last["action"] == "stop"
    largest = max((max(abs(value) for value, _ in shift.by_model.values()) for shift in found[-1:]), default=None)
    return {
        "title": f"Adaptive learning of {_element(chain)}",
        "subtitle": "models that were learned from a teacher, until they are good enough for a melting temperature",
        "verdict": "converged" if converged else "not converged" if chain.node.is_terminated else "not converged yet",
        "good": converged,
        "reasons": [] if last is None else last["reasons"],
        "cards": [
            Card("Iterations", str(len(decisions)), (), main=chain.kind == LEARNING),
            Card("Labels", str(last["labels"]) if last is not None else str(learned.first_frames(chain))),
            Card("Largest predicted shift of T_m", words.kelvin(largest), ("of any model against the teacher",)),
        ],
    }


def _tpc(chain: Chain) -> dict[str, Any]:
    """Return the headline of one coexistence."""
    found = output(chain.node, "melting_point")
    if found is None:
        return {
            "title": f"Melting temperature of {_element(chain)}",
            "subtitle": "by two-phase coexistence",
            "cards": [_no_temperature(chain)],
        }
    point = judged(found.get_dict())
    known = point["melting_temperature_k"] is not None
    notes = (
        f"95 % interval {words.interval(point['interval_low_k'], point['interval_high_k'])}",
        f"statistical {words.decimals(point.get('statistical_uncertainty_k'), 1)} K, time step "
        f"{words.decimals(point.get('timestep_uncertainty_k'), 1)} K; size not assessed",
    )
    value = words.kelvin(point["melting_temperature_k"], point["standard_uncertainty_k"])
    return {
        "title": f"Melting temperature of {point['element']}",
        "subtitle": f"{point['lattice']}, {point['pressure_gpa']:g} GPa; two-phase coexistence with "
        f"{point['potential_label']}, {point['atoms']} atoms",
        "verdict": point["verdict"],
        "good": point["verdict"] == "valid",
        "reasons": point["reasons"],
        "cards": [Card("T_m", value if known else "none", notes if known else (), main=True)],
    }


def _element(chain: Chain) -> str:
    structure = chain.node.inputs.structure if "structure" in chain.node.inputs else None
    return "a crystal" if structure is None else str(structure.get_ase().get_chemical_formula(empirical=True))


_HEADLINES = {MELTING: _melting, LEARNING: _learning, TPC: _tpc}
