"""List melting temperatures: filters, sorting, groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from aiida_dnpmelt.cli.options import FORMULA, format_option, profile_option
from aiida_dnpmelt.cli.ranges import RANGE
from aiida_dnpmelt.cli.tables import FORMATS, echo_rows
from aiida_dnpmelt.provenance.marks import LEFT_OUT

if TYPE_CHECKING:
    from aiida_dnpmelt.provenance.point_tables import PointGroup
    from aiida_dnpmelt.provenance.query import MeltingPoint

COLUMNS = ("pk", "element", "lattice", "P/GPa", "T_m/K", "95 %/K", "verdict", "potential", "protocol", "created")
_LATEX = ("element", "lattice", "P/GPa", "T_m", "95 %", "verdict", "potential")
_GROUPED = ("points", "verdicts", "T_m/K", "spread/K", "chi2", "pks")
_DAYS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]
_CONDITIONS = (
    ("temperature", "melting_temperature_k"),
    ("uncertainty", "standard_uncertainty_k"),
)
_TEXTS = (
    ("lattice", "lattice", "="),
    ("method", "method", "="),
    ("dnpmelt_version", "dnpmelt_version", "="),
    ("lammps_version", "lammps_version", "~"),
)


@click.command("list")
@click.option("--element", type=FORMULA, help="Chemical symbol.")
@click.option("--pressure", type=RANGE, help="Pressure in GPa: a number, or LOW:HIGH.")
@click.option("--temperature", type=RANGE, help="T_m in K, LOW:HIGH; one side can be missing.")
@click.option("--uncertainty", type=RANGE, help="Standard uncertainty in K, LOW:HIGH; `:5` is at most 5 K.")
@click.option("--potential", help="Part of the label of the potential, or of its SHA-256.")
@click.option("--labeller", help="Part of what labelled the frames that the potential was trained on, such as VASP.")
@click.option("--functional", help="Density functional of these labels, such as PBE.")
@click.option("--lattice", help="Lattice of the crystal: fcc, bcc, hcp, diamond or other.")
@click.option("--protocol", help="Name of the protocol.")
@click.option("--method", help="Preparation: bulk, paper-text or paper-script.")
@click.option("--verdict", type=click.Choice(["valid", "unfinished", "invalid"]), help="Verdict.")
@click.option("--dnpmelt-version", help="Version of aiida-dnpmelt.")
@click.option("--lammps-version", help="Part of the version of LAMMPS.")
@click.option("--since", type=click.DateTime(_DAYS), help="Made on this day or later (UTC).")
@click.option("--until", type=click.DateTime(_DAYS), help="Made before (UTC).")
@click.option("--frames", type=int, help="PK of labelled frames: those whose models were trained on them.")
@click.option("--where", multiple=True, help="Condition on any key, such as 'atoms >= 10000'; can be repeated.")
@click.option("--include", multiple=True, type=click.Choice(LEFT_OUT), help="What is left out else; can be repeated.")
@click.option("--all", "everything", is_flag=True, help="Leave out nothing: also invalid and superseded ones.")
@click.option("--sort", help="Keys to sort by, with commas between them; `-` before one sorts downwards.")
@click.option("--by", help="Keys to group by, with commas between them, such as element,pressure.")
@format_option(*FORMATS)
@profile_option
def list_(output_format: str, **values: Any) -> None:
    """List melting temperatures, the latest first.

    Superseded and invalid ones, replications of published preparations and demonstrations are left out unless they are
    asked for; what is left out is counted.
    """
    from aiida_dnpmelt.provenance.point_tables import group_points, sort_points
    from aiida_dnpmelt.provenance.query import asked_marks

    try:
        points = _found(values)
        asked = asked_marks(values["include"], values["verdict"], values["protocol"], values["everything"])
        kept = sort_points([each for each in points if asked.issuperset(each.marks)], _names(values["sort"]))
        groups = group_points(kept, _names(values["by"])) if values["by"] else None
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    if groups is not None:
        _echo_groups(groups, output_format)
    elif kept or output_format != "table":
        echo_points(kept, output_format)
    if output_format == "table":
        _say_what_is_left_out(kept, points)


def echo_points(points: Sequence[MeltingPoint], output_format: str) -> None:
    """Print melting points: as a table of what counts, or with every key as JSON or CSV."""
    from aiida_dnpmelt.provenance.point_tables import record

    if output_format == "table":
        echo_rows([_row(point) for point in points], COLUMNS, output_format)
        return
    if output_format == "latex":
        echo_rows([_latex_row(point) for point in points], _LATEX, output_format)
        return
    records = [record(point) for point in points]
    keys = list(dict.fromkeys(key for each in records for key in each))
    echo_rows([{**dict.fromkeys(keys), **each} for each in records], keys, output_format)


def _found(values: dict[str, Any]) -> list[MeltingPoint]:
    """Return all melting points that were asked for, with any mark.

    :raises ValueError: for bad conditions, or a node that holds no frames.
    """
    from aiida_dnpmelt.provenance.conditions import Condition
    from aiida_dnpmelt.provenance.lineage import points_from
    from aiida_dnpmelt.provenance.query import melting_points

    conditions = [Condition.parse(text) for text in values["where"]]
    for name, key in _CONDITIONS:
        if values[name] is not None:
            low, high = values[name]
            conditions += [Condition(key, ">=", low), Condition(key, "<=", high)]
    conditions += [Condition(key, sign, values[name]) for name, key, sign in _TEXTS if values[name] is not None]
    points = melting_points(
        values["element"],
        values["pressure"],
        values["potential"],
        values["protocol"],
        values["verdict"],
        everything=True,
        labeller=values["labeller"],
        functional=values["functional"],
        created=(_utc(values["since"]), _utc(values["until"])),
        where=conditions,
    )
    if values["frames"] is None:
        return points
    try:
        descended = set(points_from(values["frames"]))
    except ValueError as exception:
        raise ValueError(f"--frames: {exception}") from exception
    return [point for point in points if point.pk in descended]


def _say_what_is_left_out(kept: Sequence[MeltingPoint], points: Sequence[MeltingPoint]) -> None:
    shown = {point.pk for point in kept}
    marks = Counter(mark for point in points if point.pk not in shown for mark in point.marks)
    left = len(points) - len(kept)
    if not points:
        click.echo("No melting temperature found. Compute one: aiida-dnpmelt launch tpc --help")
    elif left:
        named = ", ".join(f"{count} {mark}" for mark, count in marks.items())
        click.echo(f"{left} more left out ({named}): --all shows them, --include MARK some of them")


def _echo_groups(groups: Sequence[PointGroup], output_format: str) -> None:
    keys = list(groups[0].values) if groups else []
    rows = [_group_row(group, output_format == "json") for group in groups]
    columns = list(rows[0]) if rows else [*keys, *_GROUPED]
    echo_rows(rows, columns, output_format)


def _group_row(group: PointGroup, with_numbers: bool) -> dict[str, Any]:
    numbers = {"T_m/K": group.mean_k, "u/K": group.standard_uncertainty_k, "spread/K": group.spread_k}
    told: dict[str, Any] = {"verdicts": group.verdicts, **numbers, "chi2": group.chi2}
    if not with_numbers:
        told = {
            "verdicts": ", ".join(f"{count} {verdict}" for verdict, count in group.verdicts.items()),
            "T_m/K": group.notation,
            "spread/K": "-" if group.spread_k is None else f"{group.spread_k:.1f}",
            "chi2": "-" if group.chi2 is None else f"{group.chi2:.1f}",
        }
    return {**group.values, "points": len(group.pks), **told, "pks": list(group.pks)}


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()] if text else []


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=timezone.utc)


def _row(point: MeltingPoint) -> dict[str, object]:
    low, high = point.details["interval_low_k"], point.details["interval_high_k"]
    values = (
        point.pk,
        point.element,
        point.lattice,
        f"{point.pressure_gpa:g}",
        point.notation,
        "-" if low is None else f"{low:.0f} to {high:.0f}",
        ", ".join([point.verdict, *(mark for mark in point.marks if mark != point.verdict)]),
        f"{point.potential} (training unfinished)" if point.unfinished else point.potential,
        point.protocol,
        f"{point.created:%Y-%m-%d %H:%M}",
    )
    return dict(zip(COLUMNS, values, strict=True))


def _latex_row(point: MeltingPoint) -> dict[str, object]:
    row = _row(point)
    known = point.melting_temperature_k is not None
    return {**row, "T_m": f"{row['T_m/K']} K" if known else "-", "95 %": f"{row['95 %/K']} K" if known else "-"}
