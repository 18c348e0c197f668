"""What the commands that launch work chains have in common: their inputs by name, the check, the submission."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_dnpmelt.cli.nodes import stored_potential
from aiida_dnpmelt.cli.options import storing_profile_option

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import InstalledCode, StructureData, WorkChainNode
    from ase import Atoms

    from aiida_dnpmelt.data.elements import Element
    from aiida_dnpmelt.data.potential import PotentialData

CRYSTAL = (
    click.option("--element", help="Chemical symbol; its lattice and guess come from the table of the elements."),
    click.option(
        "--lattice", type=click.Choice(["fcc", "bcc", "hcp", "diamond"]), help="Lattice, if not the one it melts from."
    ),
    click.option(
        "--structure", "structure_file", type=click.Path(exists=True, dir_okay=False), help="Or a file of it."
    ),
)
POTENTIAL = (
    click.option("--potential", help="PK, UUID or label of a stored potential."),
    click.option("--potential-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Or a file."),
)
JOB = (
    click.option("--code", help="LAMMPS; 'lmp@localhost', or 'lmp-deepmd@localhost' for a DNP."),
    click.option("--max-wallclock", type=click.IntRange(min=10), help="Wall time of a job in s."),
    click.option("--mpi", type=click.IntRange(min=1), help="MPI processes of a job; 1 if not given."),
)
RUN = (
    click.option("--dry-run", is_flag=True, help="Say what would be run and what it would cost, and run nothing."),
    click.option("--watch", is_flag=True, help="Show what happens until the end; the run goes on if you leave."),
    click.option("--demo", is_flag=True, help="Mark the result as a demonstration, which `tm list` leaves out."),
    storing_profile_option,
)
COEXISTENCE = (
    *CRYSTAL,
    *POTENTIAL,
    click.option("--temperature", type=float, help="First guess in K instead of the experimental one."),
    click.option("--target", type=float, help="Standard uncertainty to reach in K."),
    click.option("--budget", type=float, help="Atom-steps after which nothing new is started."),
    click.option("--seed", "seeds", type=int, multiple=True, help="Seed of a run; give as many as may be started."),
    *JOB,
)
PRESSURE = click.option("--pressure", type=float, help="Pressure in GPa; 0 unless the protocol says otherwise.")


def add_options(*options: Callable[..., Any]) -> Callable[..., Any]:
    """Return a decorator that adds options to a command in their order."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def coexistence_overrides(values: dict[str, Any]) -> dict[str, Any]:
    """Return what the options of `COEXISTENCE` put over a protocol."""
    plan = {"target_uncertainty_k": values["target"], "budget_atom_steps": values["budget"]}
    overrides: dict[str, Any] = {"plan": {name: value for name, value in plan.items() if value is not None}}
    if values["seeds"]:
        overrides["seeds"] = list(values["seeds"])
    return overrides


def job_options(values: dict[str, Any]) -> dict[str, Any]:
    """Return what the options of `JOB` ask the scheduler for, if they were given."""
    options: dict[str, Any] = {}
    if values["mpi"] is not None:
        options["resources"] = {"num_machines": 1, "num_mpiprocs_per_machine": values["mpi"]}
        options["withmpi"] = values["mpi"] > 1
    if values["max_wallclock"] is not None:
        options["max_wallclock_seconds"] = values["max_wallclock"]
    return options


def launch_chain(
    make: Callable[[dict[str, Any]], ProcessBuilder],
    forecast: Callable[[ProcessBuilder], str],
    values: dict[str, Any],
) -> WorkChainNode | None:
    """Submit the work chain that options make and return it, or with `--dry-run` say what it would run.

    :param make: makes the inputs from the values of the options, which `RUN` is among.
    :param forecast: returns what would be run as text.
    :raises ClickException: for bad input, before anything is submitted.
    """
    try:
        builder = make(values)
    except (ValueError, KeyError) as exception:
        raise click.ClickException(str(exception.args[0] if exception.args else exception)) from exception
    check(builder)
    if values["dry_run"]:
        click.echo(forecast(builder))
        return None
    return submit_and_tell(builder, values["watch"], values["demo"])


def usual_code(potential: PotentialData) -> str:
    """Return the label of the code of this machine that runs a potential."""
    return "lmp-deepmd@localhost" if potential.pair_style == "deepmd" else "lmp@localhost"


def potential_of(identifier: str | None, file: Path | None, option: str = "--potential") -> PotentialData:
    """Return a stored potential, or store the one of a file.

    :raises ValueError: if neither or both are given, or there is no such potential; it names the option.
    """
    from aiida_dnpmelt.provenance.importers import import_potential

    if (identifier is None) == (file is None):
        raise ValueError(f"give either {option} or {option}-file")
    if file is not None:
        return import_potential(file)
    return stored_potential(str(identifier), option)


def load_structure(symbol: str | None, lattice: str | None, file: str | None) -> StructureData:
    """Return the crystal of an element, or of a file; where an element has two lattices, say which one it is.

    :param lattice: that of the element, by default the one from which it melts.
    :raises ValueError: if neither or both are given, or there is no such crystal; it names the option.
    """
    from aiida.orm import StructureData

    from aiida_dnpmelt.data.elements import element
    from aiida_dnpmelt.physics.crystals import crystal

    if (symbol is None) == (file is None):
        raise ValueError("give either --element or --structure")
    if file is not None:
        return StructureData(ase=read_atoms(file))
    entry = element(str(symbol))
    chosen = lattice or entry.melting_lattice
    try:
        crystal_of_table = crystal(entry.symbol, chosen, *entry.lengths(chosen))
    except ValueError as exception:
        option, remedy = ("--lattice", f"--structure for {lattice}") if lattice else ("--element", "--structure")
        raise ValueError(f"{option}: {exception}: give {remedy}") from exception
    if entry.lattice != entry.melting_lattice:
        click.echo(_which_lattice(entry, chosen), err=True)
    return StructureData(ase=crystal_of_table)


def _which_lattice(entry: Element, chosen: str) -> str:
    """Return what is to be known of an element that melts from another lattice than it has at room temperature."""
    if chosen == entry.melting_lattice:
        text = f"{entry.symbol} is taken as {chosen}, from which it melts"
        return (
            text if entry.a is None else f"{text}; at room temperature it is {entry.lattice}: --lattice {entry.lattice}"
        )
    return (
        f"{entry.symbol} is taken as {chosen}, but it melts from {entry.melting_lattice}: the T_m of {chosen} is that "
        "of a crystal which is not the stable one there"
    )


def read_atoms(file: str | Path, option: str = "--structure") -> Atoms:
    """Return the structure of a file.

    :raises ValueError: if it holds none; it names the option.
    """
    from ase.io import read

    try:
        return read(file)
    except Exception as exception:  # the readers of ASE raise whatever happens to them
        raise ValueError(f"{option}: '{file}' holds no structure that ASE can read: {exception}") from exception


def load_code(label: str, option: str = "--code") -> InstalledCode:
    """Return a code.

    :raises ValueError: if there is none of this label; it names the option.
    """
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    from aiida_dnpmelt.data.trust import own_code

    try:
        return own_code(label)
    except NotExistent as exception:
        raise ValueError(
            f"{option}: there is no code {label!r} of this profile: run `aiida-dnpmelt setup`, or give another"
        ) from exception
    except MultipleObjectsError as exception:
        raise ValueError(f"{option}: {exception}") from exception


def check(builder: ProcessBuilder) -> None:
    """Refuse bad input before anything is stored or submitted."""
    problem = builder.process_class.spec().inputs.validate(builder._inputs(prune=True))
    if problem is not None:
        raise click.ClickException(f"{problem.message}")


def submit_and_tell(builder: ProcessBuilder, watch: bool, demo: bool) -> WorkChainNode:
    """Submit a work chain, say where to look, watch it if that is wanted, and return it."""
    from aiida.engine import submit

    from aiida_dnpmelt.cli.watch import watch_to_end
    from aiida_dnpmelt.provenance.query import DEMO

    check_daemon()
    node = submit(builder)
    if demo:
        node.base.extras.set(DEMO, True)
    click.echo(f"work chain {node.pk} is submitted: aiida-dnpmelt status {node.pk}")
    if watch:
        watch_to_end(node)
    return node


def check_daemon() -> None:
    """Refuse to submit what nobody would run."""
    from aiida.engine.daemon.client import get_daemon_client

    if not get_daemon_client().is_daemon_running:
        raise click.ClickException("the daemon does not run: start it by `aiida-dnpmelt services up`")
