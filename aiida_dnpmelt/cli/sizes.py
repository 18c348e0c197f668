"""Launch and show finite-size studies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_dnpmelt.cli.launch_inputs import (
    COEXISTENCE,
    PRESSURE,
    RUN,
    add_options,
    coexistence_overrides,
    job_options,
    launch_chain,
    load_code,
    potential_of,
    usual_code,
)
from aiida_dnpmelt.cli.options import format_option, profile_option
from aiida_dnpmelt.cli.plots import check_plot, draw
from aiida_dnpmelt.cli.structures import load_structure
from aiida_dnpmelt.cli.tables import aligned, echo, echo_rows

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

PROTOCOLS = ("balanced", "fast", "paper")
COLUMNS = ("atoms", "cells", "T_m/K", "verdict", "runs", "lost", "time/ps", "u(100 ps)/K", "sem/K", "size/K")
COSTS = ("atoms", "cells", "runs", "time/ps", "atom-steps", "core-hours")


@click.command("size")
@add_options(*COEXISTENCE, PRESSURE)
@click.option("--protocol", type=click.Choice(PROTOCOLS), default="balanced", show_default=True, help="Protocol.")
@click.option("--atoms", type=int, multiple=True, help="Least number of atoms of a size, for any lattice; repeatable.")
@click.option(
    "--size",
    "sizes",
    type=int,
    nargs=3,
    multiple=True,
    help="Or repetitions of the conventional cell along x, y, z; repeatable.",
)
@click.option("--at-once", type=int, help="Sizes that are run side by side; all of them if not given.")
@add_options(*RUN)
def launch_size(**values: Any) -> None:
    """Compute a melting temperature in cells of several sizes, and what the size does to it and to its error."""
    launch_chain(_builder, _forecast, values)


def _builder(values: dict[str, Any]) -> ProcessBuilder:
    from aiida import orm

    from aiida_dnpmelt.workchains.finite_size import FiniteSizeWorkChain

    if values["atoms"] and values["sizes"]:
        raise ValueError("give either --atoms or --size")
    study: dict[str, Any] = {}
    if values["atoms"]:
        study["minimum_atoms"] = list(values["atoms"])
    if values["sizes"]:
        study["repetitions"] = [list(counts) for counts in values["sizes"]]
    if values["at_once"] is not None:
        study["at_once"] = values["at_once"]
    potential = potential_of(values)
    builder = FiniteSizeWorkChain.get_builder_from_protocol(
        load_code(values["code"] or usual_code(potential)),
        load_structure(values["element"], values["lattice"], values["structure_file"]),
        potential,
        values["protocol"],
        {"study": study, "tpc": coexistence_overrides(values)},
        job_options(values),
    )
    for name in ("pressure", "temperature"):
        if values[name] is not None:
            builder.tpc[name] = orm.Float(values[name])
    return builder


def _forecast(builder: ProcessBuilder) -> str:
    """Return what each size would run, and what it would cost if the guess is good."""
    from aiida_dnpmelt.provenance.cost import speed_of
    from aiida_dnpmelt.workchains.forecasts import forecast_sizes

    tpc = builder.tpc
    lines, total = [COSTS], 0.0
    speed = speed_of(tpc.potential, tpc.coexistence.calc.code)
    for cells, found in forecast_sizes(builder):
        total += found.atom_steps
        numbers = (f"{found.time_ps:.0f}", f"{found.atom_steps:.3g}", f"{speed.core_hours(found.atom_steps):.2g}")
        lines.append((str(found.n_atoms), cells, str(found.runs), *numbers))
    return "\n".join(
        [
            f"{tpc.structure.get_formula()} with {tpc.potential.label}, protocol {tpc.protocol.value}:",
            aligned(lines),
            f"{speed.text(total)} in all, more if the first guess is far off",
            f"nothing new is started in a size beyond {tpc.plan['budget_atom_steps']:.3g} atom-steps",
        ]
    )


@click.command()
@click.argument("pk", type=int)
@click.option("--atoms", type=int, multiple=True, help="Also say what the size of a cell of N atoms adds; repeatable.")
@click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw it into this file: .svg, .png or .pdf."
)
@click.option("--force", is_flag=True, help="Overwrite the file of the plot if it exists.")
@format_option("table", "json")
@profile_option
def size(pk: int, atoms: tuple[int, ...], plot: Path | None, force: bool, output_format: str) -> None:
    """Show a finite-size study: T_m and its error over the size, and T_m at infinite size.

    PK is that of the work chain, or of its output `finite_size`.
    """
    from aiida.orm import load_node

    from aiida_dnpmelt.provenance.intervals import with_intervals
    from aiida_dnpmelt.provenance.query import size_study
    from aiida_dnpmelt.report.finite_size import write_study

    check_plot(plot, force)
    try:
        chain, study = size_study(pk)
        added = {number: _added(study, number) for number in atoms}
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception
    if output_format == "json":
        more = {"contributions": [{"atoms": number, **values} for number, values in added.items()]} if atoms else {}
        click.echo(json.dumps({"pk": chain, **study, **more}, indent=2))
    else:
        _print_study(chain, study, added)
    if plot is not None:
        if not study["atoms"]:
            raise click.ClickException("--plot: no size of the study has a T_m, there is nothing to draw")
        draw(write_study, with_intervals(load_node(chain).outputs.finite_size), plot)
        if output_format == "table":
            click.echo(f"{plot} written")


def _added(study: dict[str, Any], n_atoms: int) -> dict[str, float]:
    """Return what the size of a cell adds to T_m by a study.

    :raises ValueError: if the study does not tell: it has no line, or no cell that is as small.
    """
    from aiida_dnpmelt.calculations.finite_size import stored_line

    line = stored_line(study)
    if n_atoms < study["atoms"][0]:
        raise ValueError(f"--atoms: {n_atoms} is below the smallest size of the study, {study['atoms'][0]} atoms")
    shift = line.shift_k(n_atoms)
    return {
        "size_shift_k": shift.value,
        "size_shift_uncertainty_k": shift.uncertainty,
        "size_uncertainty_k": line.size_uncertainty_k(n_atoms),
    }


def _print_study(pk: int, study: dict[str, Any], added: dict[int, dict[str, float]]) -> None:
    from aiida_dnpmelt.report.finite_size import study_text
    from aiida_dnpmelt.report.words import signed

    echo_rows(_rows(study), COLUMNS, "table")
    echo(study_text(study))
    for number, values in added.items():
        shift = signed(values["size_shift_k"], values["size_shift_uncertainty_k"])
        click.echo(
            f"{number} atoms change T_m by {shift} K; not corrected for, that is an uncertainty of "
            f"{values['size_uncertainty_k']:.1f} K"
        )
    click.echo(f"work chain {pk}: verdi process status {pk}")


def _rows(study: dict[str, Any]) -> list[dict[str, Any]]:
    from aiida_dnpmelt.physics.notation import notation
    from aiida_dnpmelt.report.finite_size import EQUAL_TIME_PS
    from aiida_dnpmelt.report.words import DASH, decimals, signed

    rows = []
    for index, atoms in enumerate(study["atoms"]):
        shift = DASH
        if study["size_shifts_k"] is not None:
            shift = signed(study["size_shifts_k"][index], study["size_shift_uncertainties_k"][index])
        values = (
            atoms,
            "x".join(map(str, study["repetitions"][index])),
            notation(study["melting_temperatures_k"][index], study["standard_uncertainties_k"][index]),
            study["verdicts"][index],
            study["living_runs"][index],
            study["lost_runs"][index],
            f"{study['production_times_ps'][index]:.0f}",
            decimals(study["errors_k_ps05"][index] / EQUAL_TIME_PS**0.5, 1),
            decimals(study["window_sems_k"][index], 1),
            shift,
        )
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows
