"""Launch work chains."""

from __future__ import annotations

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
from aiida_dnpmelt.cli.launch_learning import learn, melt
from aiida_dnpmelt.cli.launch_properties import benchmark, cohesive
from aiida_dnpmelt.cli.sizes import launch_size
from aiida_dnpmelt.cli.structures import load_structure
from aiida_dnpmelt.cli.sweeps import launch_sweep

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

PROTOCOLS = ("balanced", "fast", "stringent", "paper", "paper-script")


@click.group()
def launch() -> None:
    """Launch a work chain."""


launch.add_command(learn)
launch.add_command(melt)
launch.add_command(launch_size)
launch.add_command(launch_sweep)
launch.add_command(benchmark)
launch.add_command(cohesive)


@launch.command()
@add_options(*COEXISTENCE, PRESSURE)
@click.option("--protocol", type=click.Choice(PROTOCOLS), default="balanced", show_default=True, help="Protocol.")
@click.option("--repetitions", type=int, nargs=3, help="Repetitions of the conventional cell along x, y, z.")
@add_options(*RUN)
def tpc(**values: Any) -> None:
    """Compute a melting temperature by two-phase coexistence."""
    launch_chain(_builder, _forecast, values)


def _builder(values: dict[str, Any]) -> ProcessBuilder:
    from aiida import orm

    from aiida_dnpmelt.workchains.tpc import TPCWorkChain

    potential = potential_of(values)
    builder = TPCWorkChain.get_builder_from_protocol(
        load_code(values["code"] or usual_code(potential)),
        load_structure(values["element"], values["lattice"], values["structure_file"]),
        potential,
        values["protocol"],
        coexistence_overrides(values),
        job_options(values),
    )
    if values["pressure"] is not None:
        builder.pressure = orm.Float(values["pressure"])
    if values["temperature"] is not None:
        builder.temperature = orm.Float(values["temperature"])
    if values["repetitions"]:
        builder.repetitions = orm.List(list(values["repetitions"]))
    return builder


def _forecast(builder: ProcessBuilder) -> str:
    """Return what a launch would run, and what it would cost if the guess is good."""
    from aiida_dnpmelt.calculations.job_resources import processes_of
    from aiida_dnpmelt.provenance.cost import speed_of
    from aiida_dnpmelt.workchains.tpc import forecast_of

    found, job = forecast_of(builder), builder.coexistence.calc
    speed, processes = speed_of(builder.potential, job.code), processes_of(job.metadata.options.get("resources") or {})
    return "\n".join(
        [
            f"{builder.structure.get_formula()} with {builder.potential.label}, protocol {builder.protocol.value}:",
            f"  {found.n_atoms} atoms, first guess {found.temperature_k:.0f} K, {builder.pressure.value:g} GPa",
            f"  first round: {found.first_round_atom_steps:.3g} atom-steps, which are run whatever comes out",
            f"  in all {found.runs} runs of {found.time_ps:.0f} ps in {_rounds(found.rounds)}, some {found.jobs} jobs",
            f"  {found.atom_steps:.3g} atom-steps, {speed.text(found.atom_steps)}",
            f"  some {speed.wall_time(found.longest_atom_steps / processes)} of wall time, if each run has its cores",
            f"  expected: u = {found.standard_uncertainty_k:.1f} K{_stays(found.missing)}",
            *_window(builder),
            "  more if the first guess is far off; nothing new is started beyond "
            f"{builder.plan['budget_atom_steps']:.3g} atom-steps",
        ]
    )


def _rounds(number: int) -> str:
    return "1 round" if number == 1 else f"{number} rounds"


def _stays(missing: str) -> str:
    """Return that a melting temperature will not be valid, and why, if so."""
    return f", unfinished: {missing}" if missing else ""


def _window(builder: ProcessBuilder) -> list[str]:
    """Return how good a guess must be, if the latent heat of the element is known."""
    from aiida_dnpmelt.data.elements import elements
    from aiida_dnpmelt.physics.plan import Plan, coexistence_window

    species = {kind.symbol for kind in builder.structure.kinds}
    entropy = elements()[species.pop()].fusion_entropy_k if len(species) == 1 and species <= set(elements()) else None
    if entropy is None:
        return []
    share = coexistence_window(entropy, Plan(**builder.plan.get_dict()).criteria.heat_capacity_k)
    return [
        f"  by the latent heat both phases live from guesses within {share:.0%} of T_m; runs that lose one bracket it"
    ]
