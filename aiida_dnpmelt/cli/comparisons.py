"""Commands of `tm` on all elements: T_m against experiment, and over the cohesive energy."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_dnpmelt.cli.options import FORMULA, format_option, profile_option
from aiida_dnpmelt.cli.plots import check_plot, draw
from aiida_dnpmelt.cli.tables import FORMATS, echo_note, echo_rows

if TYPE_CHECKING:
    from aiida.orm import Dict

    from aiida_dnpmelt.provenance.ambient import AmbientPoint
    from aiida_dnpmelt.report.cohesion import CohesivePoint
    from aiida_dnpmelt.report.experiment import Comparison

EXPERIMENT = ("pk", "element", "lattice", "T_m/K", "T_m(exp)/K", "error/K", "error/%", "verdict", "potential")
MEANS = ("lattice", "number", "error/K", "|error|/K", "error/%", "|error|/%")
COHESIVE = ("pk", "element", "group", "T_m/K", "E_coh/(eV/atom)", "E_coh from", "relation/K", "off/%", "potential")

_OPTIONS = (
    click.option("--element", "symbol", type=FORMULA, help="Chemical symbol. Default: all elements."),
    click.option(
        "--potential", help="Part of the label of the potential (of models: of their teacher), or of its SHA-256."
    ),
    click.option("--protocol", help="Name of the protocol, to take results of one only."),
    click.option("--unfinished", is_flag=True, help="Also results whose verdict is unfinished."),
    click.option(
        "--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw it into this file: .svg, .png or .pdf."
    ),
    click.option("--force", is_flag=True, help="Overwrite the file of the plot if it exists."),
    format_option(*FORMATS),
    profile_option,
)


def _common(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that both commands have."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@_common
def experiment(
    symbol: str | None,
    potential: str | None,
    protocol: str | None,
    unfinished: bool,
    plot: Path | None,
    force: bool,
    output_format: str,
) -> None:
    """Compare melting temperatures at ambient pressure with experiment, with mean errors by lattice.

    One for each element, lattice and potential: the latest valid one. Results of whole chains count with their
    corrected T_m, and stand for the T_m of their models.
    """
    from aiida_dnpmelt.report.experiment import by_lattice, compare, write_experiment

    check_plot(plot, force)
    points, notes = _points(symbol, potential, protocol, unfinished)
    comparisons = compare(points)
    means = by_lattice(comparisons)
    notes += [
        f"{each.point.element}: {each.point.lattice} is not what melts in reality, which is {each.melts_from}"
        for each in comparisons
        if each.point.lattice != each.melts_from
    ]
    if output_format == "json":
        content = {
            "points": [_record(each) for each in comparisons],
            "by_lattice": {name: asdict(errors) for name, errors in means.items()},
            "notes": notes,
        }
        click.echo(json.dumps(content, indent=2))
    elif output_format == "csv":
        records = [_record(each) for each in comparisons]
        echo_rows(records, list(records[0]), "csv")
    else:
        echo_rows([_row(each) for each in comparisons], EXPERIMENT, output_format)
        click.echo()
        rows = []
        for name, errors in means.items():
            values = (f"{errors.mean_k:+.0f}", f"{errors.mean_absolute_k:.0f}", f"{errors.mean_percent:+.1f}")
            cells = (name, errors.number, *values, f"{errors.mean_absolute_percent:.1f}")
            rows.append(dict(zip(MEANS, cells, strict=True)))
        echo_rows(rows, MEANS, output_format)
    _end(notes, output_format, write_experiment, comparisons, plot)


@click.command()
@click.option(
    "--relation",
    type=click.Choice(["corrected", "as_printed", "all"]),
    default="corrected",
    show_default=True,
    help="That of the group, with two exchanged that are exchanged in print, or as printed; or one for all elements.",
)
@click.option("--refit", is_flag=True, help="Fit the relations again to these T_m, and keep each fit as a node.")
@_common
def cohesive(
    relation: str,
    refit: bool,
    symbol: str | None,
    potential: str | None,
    protocol: str | None,
    unfinished: bool,
    plot: Path | None,
    force: bool,
    output_format: str,
) -> None:
    """Compare melting temperatures at ambient pressure with the relations between T_m and cohesive energy.

    The cohesive energies are those of the potentials where they are stored, else those of experiment: a column says
    which.
    """
    from aiida_dnpmelt.provenance.ambient import cohesive_energies, energies_of
    from aiida_dnpmelt.report.cohesion import Picture, cohesive_point, write_cohesion

    check_plot(plot, force)
    points, notes = _points(symbol, potential, protocol, unfinished)
    stored = cohesive_energies()
    energies = {point.pk: energies_of(point, stored) for point in points}
    try:
        found = [cohesive_point(point, energies[point.pk], relation) for point in points]
        fits = _refits(points, energies, notes) if refit else {}
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    if output_format == "json":
        content = {
            "points": [_cohesive_record(each) for each in found],
            "refits": {group: {"pk": node.pk, **node.get_dict()} for group, node in fits.items()},
            "notes": notes,
        }
        click.echo(json.dumps(content, indent=2))
    elif output_format == "csv":
        records = [_cohesive_record(each) for each in found]
        echo_rows(records, list(records[0]), "csv")
    else:
        echo_rows([_cohesive_row(each) for each in found], COHESIVE, output_format)
        mean = sum(abs(each.off_percent) for each in found) / len(found)
        said = [f"mean absolute deviation of the relation over {len(found)} results: {mean:.1f} %"]
        for words in (*said, *map(_fit_text, fits.values())):
            echo_note(words, output_format)
    picture = Picture(found, relation, {group: node.get_dict() for group, node in fits.items()})
    _end(notes, output_format, write_cohesion, picture, plot)


def _points(
    symbol: str | None, potential: str | None, protocol: str | None, unfinished: bool
) -> tuple[list[AmbientPoint], list[str]]:
    """Return the melting temperatures that are asked for, and what was left out, in words.

    :raises ClickException: if there are none.
    """
    from aiida_dnpmelt.data.elements import elements
    from aiida_dnpmelt.provenance.ambient import ambient_points

    found = ambient_points(symbol, potential, protocol)
    unknown = [point for point in found if point.element not in elements()]
    known = [point for point in found if point.element in elements()]
    taken = [point for point in known if unfinished or point.verdict == "valid"]
    notes = [f"left out: {point.element}, which is not in the table of the elements" for point in unknown]
    if len(taken) < len(known):
        number = len(known) - len(taken)
        notes.append(f"left out: {number} unfinished result{'s' if number > 1 else ''}, which --unfinished takes")
    if not taken:
        told = f" ({'; '.join(notes)})" if notes else ", see `aiida-dnpmelt tm list`"
        raise click.ClickException(f"there is no such melting temperature at ambient pressure{told}")
    return taken, notes


def _refits(
    points: Sequence[AmbientPoint], energies: Mapping[int, Sequence[Dict]], notes: list[str]
) -> dict[str, Dict]:
    """Return a line for all elements and for each group that has enough of them; note those that have not.

    :param energies: stored cohesive energies by the PKs of the points.
    :raises ValueError: if an element has more than one T_m, or there are too few elements for any line.
    """
    from aiida_dnpmelt.calculations.cohesion import EVERY_GROUP, check_single
    from aiida_dnpmelt.data.elements import element
    from aiida_dnpmelt.physics.cohesion import FEWEST_ELEMENTS, PRINTED
    from aiida_dnpmelt.provenance.ambient import refit_of

    try:
        check_single(point.element for point in points)
    except ValueError as error:
        raise ValueError(f"--refit: {error}: choose by --potential, --protocol or --element") from error
    if len(points) < FEWEST_ELEMENTS:
        raise ValueError(f"--refit: elements with a T_m: {len(points)}, a line needs {FEWEST_ELEMENTS}")
    fits = {}
    for group in (EVERY_GROUP, *PRINTED):
        members = [point for point in points if group in (EVERY_GROUP, element(point.element).group)]
        if len(members) >= FEWEST_ELEMENTS:
            fits[group] = refit_of(group, members, [node for point in members for node in energies[point.pk]])
        elif members:
            notes.append(f"no refit of {group}: elements with a T_m: {len(members)}, a line needs {FEWEST_ELEMENTS}")
    return fits


def _fit_text(node: Dict) -> str:
    from aiida_dnpmelt.physics.notation import notation

    fit = node.get_dict()
    offset = ""
    if not fit["through_origin"]:
        offset = f" + {notation(fit['offset_k'], fit['offset_uncertainty_k'])} K"
    return (
        f"refit, {fit['group']}: T_m = {notation(fit['slope'], fit['slope_uncertainty'])} E_coh/k_B{offset}, "
        f"{fit['number']} elements, residual {fit['residual_k']:.0f} K, R^2 = {fit['r_squared']:.3f}; "
        f"kept as node {node.pk}"
    )


def _end(notes: Sequence[str], output_format: str, write: Callable[..., None], what: Any, plot: Path | None) -> None:
    """Say what was left out, and draw the figure if there is to be one."""
    if output_format != "json":
        for note in notes:
            echo_note(note, output_format)
    if plot is not None:
        draw(write, what, plot)
        click.echo(f"{plot} written", err=output_format != "table")


def _point_record(point: AmbientPoint) -> dict[str, Any]:
    keys = ("pk", "element", "lattice", "kind", "potential", "protocol", "verdict")
    numbers = ("melting_temperature_k", "standard_uncertainty_k")
    record = {key: getattr(point, key) for key in (*keys, *numbers)}
    return {**record, "potential_unfinished": point.unfinished}


def _record(each: Comparison) -> dict[str, Any]:
    return {
        **_point_record(each.point),
        "melts_from": each.melts_from,
        "experimental_temperature_k": each.experiment_k,
        "error_k": each.error_k,
        "error_percent": each.error_percent,
    }


def _cohesive_record(each: CohesivePoint) -> dict[str, Any]:
    return {
        **_point_record(each.point),
        "group": each.group,
        "cohesive_energy_ev_per_atom": each.energy_ev,
        "energy_source": each.source,
        "relation_temperature_k": each.relation_k,
        "off_percent": each.off_percent,
    }


def _row(each: Comparison) -> dict[str, Any]:
    point = each.point
    errors = (f"{each.experiment_k:g}", f"{each.error_k:+.0f}", f"{each.error_percent:+.1f}")
    values = (point.pk, point.element, point.lattice, point.notation, *errors, point.verdict, point.of)
    return dict(zip(EXPERIMENT, values, strict=True))


def _cohesive_row(each: CohesivePoint) -> dict[str, Any]:
    point = each.point
    numbers = (f"{each.energy_ev:g}", each.source, f"{each.relation_k:.0f}", f"{each.off_percent:+.1f}")
    values = (point.pk, point.element, each.group, point.notation, *numbers, point.of)
    return dict(zip(COHESIVE, values, strict=True))
