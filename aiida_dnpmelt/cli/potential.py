"""Commands on potentials: `potential list`, `potential show`, `potential test`, `potential benchmark`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .benchmarks import potential_benchmark
from .nodes import stored_frames, stored_potential
from .options import ELEMENT, format_option, profile_option, storing_profile_option
from .plots import check_plot, draw
from .tables import FORMATS, READ, echo, echo_rows

if TYPE_CHECKING:
    from aiida_dnpmelt.data.frames import FramesData
    from aiida_dnpmelt.data.potential import PotentialData

COLUMNS = ("pk", "label", "pair_style", "elements", "cutoff_angstrom", "origin", "licence", "training")
ERRORS = {
    "rmse_energy_mev_per_atom": "E rms meV/atom",
    "max_energy_mev_per_atom": "E max meV/atom",
    "energy_offset_mev_per_atom": "E mean meV/atom",
    "rmse_force_ev_per_angstrom": "F rms eV/A",
    "max_force_ev_per_angstrom": "F max eV/A",
    "rms_force_ev_per_angstrom": "F of labels eV/A",
    "rmse_virial_mev_per_atom": "virial rms meV/atom",
    "max_virial_mev_per_atom": "virial max meV/atom",
}
"""Errors of a test by their keys, and how the table names them."""


@click.group()
def potential() -> None:
    """Show and test potentials: DeePMD models and EAM files."""


potential.add_command(potential_benchmark)


@potential.command("list")
@click.option("--element", type=ELEMENT, help="Only potentials that know this element.")
@format_option(*FORMATS)
@profile_option
def potential_list(element: str | None, output_format: str) -> None:
    """List the potentials, the oldest first."""
    from aiida.orm import QueryBuilder

    from aiida_dnpmelt.data.potential import PotentialData

    query = (
        QueryBuilder().append(PotentialData, tag="potential").order_by({"potential": [{"ctime": "asc"}, {"id": "asc"}]})
    )
    rows = [row_of(node) for node in query.all(flat=True) if element is None or node.supports([element])]
    echo_rows(rows, COLUMNS, output_format)


@potential.command("show")
@click.argument("identifier", metavar="PK")
@format_option("table", "json")
@profile_option
def potential_show(identifier: str, output_format: str) -> None:
    """Show all about a potential, by its PK, UUID or label, with its commands for LAMMPS."""
    try:
        node = stored_potential(identifier, "PK")
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    details = {
        **row_of(node),
        "uuid": node.uuid,
        "file": node.filename,
        "format": node.format,
        "sha256": node.sha256,
        "lammps": node.lammps_commands(node.filename, node.type_map),
    }
    if output_format == "json":
        click.echo(json.dumps(details, indent=2))
        return
    for name, value in details.items():
        echo(f"{name:16s} {'; '.join(value) if isinstance(value, list) else value}")


@potential.command("test")
@click.argument("identifier", metavar="POTENTIAL")
@click.argument("datasets", metavar="DATASET...", nargs=-1, required=True)
@click.option("--code", default="dp@localhost", show_default=True, help="Code of DeePMD-kit.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the labels of the model over those of the frames into this file: .svg, .png or .pdf.",
)
@click.option("--force", is_flag=True, help="Overwrite the file of the plot if it exists.")
@format_option(*FORMATS)
@storing_profile_option
def potential_test(
    identifier: str, datasets: tuple[str, ...], code: str, plot: Path | None, force: bool, output_format: str
) -> None:
    """Let a DeePMD model label frames that are labelled already, and show how far it is off.

    POTENTIAL is a PK, UUID or label. A DATASET is the PK or UUID of labelled frames, or the label of a group that has
    some. All of it goes through one job, which is kept with what the model said.
    """
    from aiida.common.exceptions import NotExistent

    from aiida_dnpmelt.calculations.deepmd_test import DeepmdTestCalculation
    from aiida_dnpmelt.data.trust import own_code
    from aiida_dnpmelt.provenance.lineage import seen_frames
    from aiida_dnpmelt.provenance.local_jobs import run_here
    from aiida_dnpmelt.report.parity import write_parity

    check_plot(plot, force)
    try:
        model = stored_potential(identifier, "POTENTIAL")
        frames = {f"pk_{node.pk}": node for node in stored_frames(datasets, "DATASET")}
        inputs = {"code": own_code(code), "potential": model, "frames": frames}
        outputs, job = run_here(DeepmdTestCalculation, **inputs, metadata={"label": f"test_{model.label}"})
    except NotExistent as error:
        message = f"{error}: run `aiida-dnpmelt setup`, or name a code of DeePMD-kit with --code"
        raise click.ClickException(message) from error
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if not job.is_finished_ok:
        raise click.ClickException(f"job {job.pk} failed: {job.exit_message}")
    seen = seen_frames(model)
    rows = [_tested(outputs["results"]["sets"][name], node, seen) for name, node in frames.items()]
    if len(rows) > 1:
        rows.append({**_tested(outputs["results"], None, seen), "pk": "all"})
    columns = ["pk", "phase", "frames", "trained_on", *ERRORS]
    if output_format in READ:
        rows = [{ERRORS.get(name, name): _rounded(value) for name, value in row.items()} for row in rows]
        columns = [ERRORS.get(name, name) for name in columns]
    echo_rows(rows, columns, output_format)
    if plot is not None:
        draw(write_parity, job, plot)
    if output_format == "table":
        click.echo(f"[OK] job {job.pk} keeps the labels of the model" + (f"; {plot} written" if plot else ""))


def _tested(errors: dict[str, Any], node: FramesData | None, seen: set[int] | None) -> dict[str, Any]:
    """Return a row of the table of a test, of a set or of all."""
    known = "not known" if seen is None else "yes" if node is not None and node.pk in seen else "no"
    return {
        "pk": node.pk if node is not None else "",
        "phase": node.phase if node is not None else "",
        "trained_on": known if node is not None else "",
        **{name: errors[name] for name in ("frames", *ERRORS)},
    }


def _rounded(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, float) else value


def row_of(node: PotentialData) -> dict[str, Any]:
    """Return what is shown of a potential."""
    return {
        "pk": node.pk,
        "label": node.label,
        "pair_style": node.pair_style,
        "elements": node.type_map,
        "cutoff_angstrom": node.cutoff,
        "origin": node.origin,
        "licence": node.licence,
        "training": _training(node),
    }


def _training(node: PotentialData) -> str:
    """Return what is known of the training of a model, in words."""
    if node.training is None:
        return ""
    return node.unfinished or ("ended" if node.training["ended"] else "not known")
