from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.engine import ProcessBuilder
from ase.build import bulk

from aiida_dnpmelt.calculations.job_resources import (
    ONE_PROCESS,
    cores,
    fitted_options,
    many_processes,
    refused_resources,
    resources_of,
    too_many_processes,
)
from aiida_dnpmelt.calculations.lammps_coexistence import LammpsCoexistenceCalculation
from aiida_dnpmelt.data.potential import PotentialData
from aiida_dnpmelt.workchains.adaptive_learning import AdaptiveLearningWorkChain
from aiida_dnpmelt.workchains.cohesive_energy import CohesiveEnergyWorkChain
from aiida_dnpmelt.workchains.finite_size import FiniteSizeWorkChain
from aiida_dnpmelt.workchains.job_places import job_places
from aiida_dnpmelt.workchains.melting import MeltingWorkChain
from aiida_dnpmelt.workchains.potential_benchmark import PotentialBenchmarkWorkChain
from aiida_dnpmelt.workchains.pressure_sweep import PressureSweepWorkChain
from aiida_dnpmelt.workchains.tpc import TPCWorkChain

SCHEDULERS = ("slurm", "sge", "lsf", "pbspro", "direct")


@pytest.fixture
def computer(aiida_profile, tmp_path):
    """Give a function that makes the computer of a scheduler, which is stored once."""

    def make(scheduler: str, processes: int | None = None) -> orm.Computer:
        label = f"of-{scheduler}-{processes}"
        known = orm.Computer.collection.find({"label": label})
        if known:
            return known[0]
        made = orm.Computer(
            label=label,
            hostname="far.away",
            transport_type="core.ssh_async",
            scheduler_type=f"core.{scheduler}",
            workdir=str(tmp_path),
        )
        if processes is not None:
            made.set_default_mpiprocs_per_machine(processes)
        return made.store()

    return make


@pytest.fixture
def codes(computer):
    """Give a function that makes LAMMPS and DeePMD-kit of a computer."""

    def make(scheduler: str) -> tuple[orm.InstalledCode, orm.InstalledCode]:
        found = []
        for name in ("lmp", "dp"):
            label = f"{name}-{scheduler}"
            known = orm.InstalledCode.collection.find({"label": label})
            code = known[0] if known else None
            found.append(
                code
                or orm.InstalledCode(
                    computer=computer(scheduler), filepath_executable=f"/opt/{name}", label=label
                ).store()
            )
        return found[0], found[1]

    return make


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_resources_are_those_that_the_scheduler_takes(computer, scheduler):
    found = resources_of(computer(scheduler), processes=4, machines=2, parallel_env="smp")
    assert refused_resources(computer(scheduler), found) is None
    if scheduler in ("sge", "lsf"):
        assert found == {"tot_num_mpiprocs": 8, "parallel_env": "smp"}
    else:
        assert found == {"num_machines": 2, "num_mpiprocs_per_machine": 4}


@pytest.mark.parametrize(
    ("scheduler", "resources", "words"),
    [
        ("sge", ONE_PROCESS, "parallel_env"),
        ("sge", {"tot_num_mpiprocs": 4}, "give --parallel-env"),
        ("lsf", ONE_PROCESS, "num_machines"),
        ("slurm", {"tot_num_mpiprocs": 4, "parallel_env": "smp"}, "parallel_env"),
        ("slurm", {"num_machines": 0, "num_mpiprocs_per_machine": 1}, "num_machines"),
    ],
)
def test_what_a_scheduler_does_not_take_is_told(computer, scheduler, resources, words):
    problem = refused_resources(computer(scheduler), resources)
    assert problem is not None
    assert words in problem
    assert f"computer 'of-{scheduler}-None' takes (core.{scheduler}, with " in problem


def test_options_are_put_into_the_words_of_the_scheduler(codes):
    sge, lsf, slurm = (codes(name)[0] for name in ("sge", "lsf", "slurm"))
    given = {"resources": {"num_machines": 2, "num_mpiprocs_per_machine": 3}, "account": "materials"}
    total = {"resources": {"tot_num_mpiprocs": 6}, "account": "materials"}
    assert fitted_options(slurm, given) == given
    assert fitted_options(slurm, {}) == {}
    assert fitted_options(lsf, given) == total
    assert fitted_options(lsf, {}) == {"resources": {"tot_num_mpiprocs": 1}}
    named = {**total, "resources": {"tot_num_mpiprocs": 6, "parallel_env": "smp"}}
    assert fitted_options(sge, {**given, "resources": {**given["resources"], "parallel_env": "smp"}}) == named
    assert fitted_options(sge, named) == named


def test_a_parallel_environment_is_not_asked_of_this_machine(lmp_code):
    """A launch may have one computer with SGE, and run the rest here."""
    assert fitted_options(lmp_code, {"resources": {"parallel_env": "smp"}}) == {"resources": ONE_PROCESS}


def builder_of(
    name: str, codes: tuple[orm.InstalledCode, orm.InstalledCode], potential: PotentialData, **options: Any
) -> ProcessBuilder:
    """Return what a launch would run with codes of one computer."""
    (lmp, dp), copper = codes, orm.StructureData(ase=bulk("Cu", cubic=True))
    labelling = {"code": lmp, "potential": potential}
    if name in LEARNING:
        return LEARNING[name].get_builder_from_protocol(dp, lmp, copper, labelling, "fast", options=options)
    return CHAINS[name].get_builder_from_protocol(lmp, copper, potential, options=options)


def refusal(builder: ProcessBuilder) -> str | None:
    problem = builder.process_class.spec().inputs.validate(builder._inputs(prune=True))
    return None if problem is None else str(problem.message)


CHAINS = {
    chain.__name__: chain
    for chain in (
        TPCWorkChain,
        FiniteSizeWorkChain,
        PressureSweepWorkChain,
        PotentialBenchmarkWorkChain,
        CohesiveEnergyWorkChain,
    )
}
LEARNING = {chain.__name__: chain for chain in (AdaptiveLearningWorkChain, MeltingWorkChain)}
NAMED = {"resources": {"parallel_env": "smp"}}


@pytest.mark.parametrize("name", [*CHAINS, *LEARNING])
def test_every_launch_asks_each_scheduler_in_its_words(codes, potentials_folder, name):
    potential = PotentialData.from_file(potentials_folder / "Cu_u3.eam")
    assert refusal(builder_of(name, codes("slurm"), potential)) is None
    assert refusal(builder_of(name, codes("lsf"), potential)) is None, "LSF needs no name"
    sge = builder_of(name, codes("sge"), potential, **NAMED)
    assert refusal(sge) is None
    places = list(job_places(sge._inputs(prune=True)))
    assert places
    assert all(place.resources == {"tot_num_mpiprocs": 1, "parallel_env": "smp"} for place in places)
    with pytest.raises(ValueError, match=r"'of-sge-None' takes \(core.sge, with parallel_env, tot_num_mpiprocs\)"):
        raise ValueError(refusal(builder_of(name, codes("sge"), potential)))


def test_a_job_refuses_what_its_scheduler_does_not_take(codes, potentials_folder):
    inputs = LammpsCoexistenceCalculation.get_builder()
    inputs.code = codes("sge")[0]
    inputs.metadata.options.resources = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
    problem = LammpsCoexistenceCalculation.spec().inputs.validator
    assert "core.sge" in problem(inputs._inputs(prune=True), LammpsCoexistenceCalculation.spec().inputs)


def test_more_processes_than_cores_are_refused_on_this_machine_alone(localhost, computer):
    too_many = {"num_machines": 1, "num_mpiprocs_per_machine": cores() + 1}
    problem = too_many_processes(localhost, too_many)
    assert f"{cores() + 1} MPI processes of a job on computer 'localhost'" in problem
    assert f"outside the allowed range 1 to {cores()}" in problem
    assert too_many_processes(localhost, {"num_machines": 1, "num_mpiprocs_per_machine": cores()}) is None
    assert too_many_processes(computer("slurm"), {"num_machines": 1, "num_mpiprocs_per_machine": 5000}) is None
    assert many_processes(localhost, too_many) is None


@pytest.mark.parametrize(
    ("usual", "processes", "words"),
    [(None, 4, None), (1, 16, None), (None, 64, "not known here"), (1, 64, "not known here"), (32, 32, None)],
)
def test_many_processes_are_told_elsewhere(computer, usual, processes, words):
    told = many_processes(computer("slurm", usual), {"num_machines": 1, "num_mpiprocs_per_machine": processes})
    assert told is None if words is None else words in told
    told = many_processes(computer("slurm", 32), {"num_machines": 3, "num_mpiprocs_per_machine": 64})
    assert "64 MPI processes on a machine of computer 'of-slurm-32', where 32 are usual" in told
