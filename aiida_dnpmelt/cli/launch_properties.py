"""Launch benchmarks of potentials, and cohesive energies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_dnpmelt.cli.launch_inputs import (
    CRYSTAL,
    JOB,
    POTENTIAL,
    RUN,
    add_options,
    job_options,
    launch_chain,
    load_code,
    potential_of,
    usual_code,
)
from aiida_dnpmelt.cli.options import POTENTIAL_FILE
from aiida_dnpmelt.cli.structures import load_structure

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

    from aiida_dnpmelt.data.potential import PotentialData

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@add_options(*CRYSTAL, *POTENTIAL)
@click.option("--reference", help="PK, UUID or label of another potential to compare with, such as the teacher.")
@click.option("--reference-file", type=POTENTIAL_FILE, help="Or a file of it.")
@click.option("--reference-code", help="LAMMPS of that potential; 'lmp@localhost' unless it is a DNP.")
@click.option("--values", "values_file", type=_FILE, help="YAML or JSON file of values to compare with, with sources.")
@click.option(
    "--part",
    "parts",
    type=click.Choice(["equation_of_state", "elastic", "vacancy", "atom", "release"]),
    multiple=True,
    help="What is computed beside the relaxed crystal; repeatable. Default: all.",
)
@click.option("--protocol", type=click.Choice(["balanced", "fast", "stringent"]), default="balanced", show_default=True)
@add_options(*JOB, *RUN)
def benchmark(**values: Any) -> None:
    """Compute properties of a crystal with a potential, and compare them with experiment and other references.

    Lattice parameters, cohesive energy, equation of state, elastic constants, vacancy, and whether it is stable.
    """
    node = launch_chain(_benchmark_builder, _benchmark_forecast, values)
    if node is not None:
        click.echo(f"the table: aiida-dnpmelt potential benchmark {node.pk}")


@click.command()
@add_options(*CRYSTAL, *POTENTIAL)
@click.option("--atom-energy", type=float, help="Energy of the free atom in eV instead of the potential's own.")
@click.option("--vasp-code", help="Compute it with VASP instead: its code, such as 'vasp@cluster'.")
@click.option("--potcar-family", help="With --vasp-code: family of POTCAR files.")
@click.option("--potcar", help="With --vasp-code: name of the POTCAR, if not the symbol, such as Ti_pv.")
@click.option(
    "--relation",
    type=click.Choice(["corrected", "as_printed", "all"]),
    default="corrected",
    show_default=True,
    help="Relation that T_m is estimated by, see `tm estimate`.",
)
@click.option("--protocol", type=click.Choice(["balanced", "paper"]), default="balanced", show_default=True)
@add_options(*JOB, *RUN)
def cohesive(**values: Any) -> None:
    """Compute a cohesive energy with a potential or with VASP, and estimate T_m from it."""
    launch_chain(_cohesive_builder, _cohesive_forecast, values)


def _benchmark_builder(values: dict[str, Any]) -> ProcessBuilder:
    from aiida_dnpmelt.workchains.potential_benchmark import PotentialBenchmarkWorkChain

    potential = potential_of(values)
    reference = reference_code = None
    if values["reference"] is not None or values["reference_file"] is not None:
        reference = potential_of(values, "reference")
        reference_code = load_code(values["reference_code"] or usual_code(reference), "--reference-code")
    elif values["reference_code"] is not None:
        raise ValueError("--reference-code: it goes with --reference")
    return PotentialBenchmarkWorkChain.get_builder_from_protocol(
        load_code(values["code"] or usual_code(potential)),
        load_structure(values["element"], values["lattice"], values["structure_file"]),
        potential,
        values["protocol"],
        {"parts": list(values["parts"])} if values["parts"] else None,
        job_options(values),
        reference_potential=reference,
        reference_code=reference_code,
        values=_read_values(values["values_file"]),
    )


def _read_values(file: Path | None) -> dict[str, Any] | None:
    """Return the values of a file.

    :raises ValueError: if it holds none; it names the option.
    """
    import yaml

    if file is None:
        return None
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as exception:
        raise ValueError(f"--values: '{file}' is no YAML or JSON: {exception}") from exception
    if not isinstance(found, dict) or not found:
        raise ValueError(
            f"--values: '{file}' must hold properties by name, such as c11_gpa: {{value: 170, source: ...}}"
        )
    return found


def _cohesive_builder(values: dict[str, Any]) -> ProcessBuilder:
    from aiida import orm

    from aiida_dnpmelt.workchains.cohesive_energy import CohesiveEnergyWorkChain

    structure = load_structure(values["element"], values["lattice"], values["structure_file"])
    common = {"structure": structure, "protocol": values["protocol"], "options": job_options(values)}
    if values["vasp_code"] is None:
        for name in ("potcar_family", "potcar"):
            if values[name] is not None:
                raise ValueError(f"--{name.replace('_', '-')}: it goes with --vasp-code")
        potential = potential_of(values)
        code = load_code(values["code"] or usual_code(potential))
        builder = CohesiveEnergyWorkChain.get_builder_from_protocol(code, potential=potential, **common)
    else:
        _refuse_lammps(values)
        mapping = {values["potcar"].split("_")[0]: values["potcar"]} if values["potcar"] else None
        builder = CohesiveEnergyWorkChain.get_builder_from_protocol(
            load_code(values["vasp_code"], "--vasp-code", "VASP"),
            potential_family=values["potcar_family"],
            potential_mapping=mapping,
            **common,
        )
    if values["atom_energy"] is not None:
        builder.atom_energy = orm.Float(values["atom_energy"])
    builder.relation = orm.Str(values["relation"])
    return builder


def _refuse_lammps(values: dict[str, Any]) -> None:
    """Refuse what goes with a potential only.

    :raises ValueError: it names the option.
    """
    for name in ("potential", "potential_file", "code", "atom_energy"):
        if values[name] is not None:
            raise ValueError(f"--{name.replace('_', '-')}: it does not go with --vasp-code")
    if values["potcar_family"] is None:
        raise ValueError("--potcar-family: VASP needs one, see `aiida-vasp potcar listfamilies`")


def _benchmark_forecast(builder: ProcessBuilder) -> str:
    """Return what a benchmark would run."""
    from aiida_dnpmelt.calculations.properties_settings import PropertiesSettings
    from aiida_dnpmelt.physics.crystals import lattice_name, orthogonal_cell, repetitions

    settings = PropertiesSettings(**builder.settings.get_dict())
    cell = orthogonal_cell(builder.structure.get_ase())
    counts = repetitions(cell, settings.minimum_atoms, aspect=1.0)
    atoms = counts[0] * counts[1] * counts[2] * len(cell)
    potentials: list[PotentialData] = [builder.potential]
    if "reference_potential" in builder:
        potentials.append(builder.reference_potential)
    points = len(settings.volume_factors()) * len(settings.axial_factors(lattice_name(cell)))
    names = " and ".join(each.label for each in potentials)
    return "\n".join(
        [
            f"{builder.structure.get_formula()} ({lattice_name(cell)}), protocol {builder.protocol.value}:",
            f"  {len(potentials)} jobs, with {names}: {', '.join(settings.parts)}",
            f"  {points} energies over volume, 12 strains, cells of {atoms} atoms with a vacancy and for the release",
        ]
    )


def _cohesive_forecast(builder: ProcessBuilder) -> str:
    """Return what a cohesive energy would run."""
    from aiida_dnpmelt.calculations.cohesive_settings import VaspCohesiveSettings
    from aiida_dnpmelt.physics.crystals import lattice_name

    atoms = builder.structure.get_ase()
    head = f"{builder.structure.get_formula()} ({lattice_name(atoms)})"
    if "potential" in builder:
        return f"{head} with {builder.potential.label}: 1 job, the relaxed crystal and the free atom"
    settings = VaspCohesiveSettings(**builder.vasp.get_dict())
    volumes, ratios = settings.factors(lattice_name(atoms))
    box = " x ".join(f"{edge:g}" for edge in settings.atom_box_angstrom)
    return (
        f"{head} with {builder.code.full_label} ({builder.potential_family.value}): {volumes.size + 1} jobs, "
        f"{volumes.shape[0]} volumes with {ratios.shape[1]} ratios c/a each, and the free atom in {box} Angstrom"
    )
