"""Make nodes of what a DeePMD training left, whatever ended it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_dnpmelt.calculations.deepmd_input import LEARNING_CURVE_FILE, derive_seeds
from aiida_dnpmelt.calculations.deepmd_job import VERSION_FILE
from aiida_dnpmelt.calculations.deepmd_settings import cutoff_of
from aiida_dnpmelt.calculations.deepmd_systems import TRAINING, VALIDATION, system_path
from aiida_dnpmelt.calculations.deepmd_train import (
    CHECKPOINT_FILE,
    COMPRESSED_FILE,
    CPU_TIME_FILE,
    ENERGIES_FILE,
    MODEL_FILE,
    TEST_LOG,
    TRAIN_LOG,
    WALL_TIME_FILE,
    error_file,
    splits_of_inputs,
)
from aiida_dnpmelt.data.potential import DEEPMD, PotentialData
from aiida_dnpmelt.parsers.deepmd_job import DeepmdParser
from aiida_dnpmelt.parsers.training_files import (
    LEARNING_RATE,
    STEP,
    Array,
    SystemErrors,
    TrainingLog,
    combine,
    first_exception,
    loss_is_nan,
    memory_failure,
    plain,
    read_checkpoint_step,
    read_cpu_seconds,
    read_learning_curve,
    read_log,
    read_tests,
    read_version,
)

SAVE_FREQ = 1000
"""What DeePMD-kit takes if the settings do not say how often checkpoints are written, in steps."""
SCHEDULER_OUT_OF_MEMORY = 110
SCHEDULER_OUT_OF_WALLTIME = 120


class DeepmdTrainParser(DeepmdParser):
    """Parser of `DeepmdTrainCalculation`."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Store the outputs and return the exit code of how the job ended."""
        version = read_version(self.read(VERSION_FILE))
        if version is None:
            return self.no_output(self.read(error_file("version")))
        folder = Path(kwargs["retrieved_temporary_folder"])
        log = read_log(self.read(TRAIN_LOG))
        curve = read_learning_curve(self.read(LEARNING_CURVE_FILE).splitlines(keepends=True))
        energies = folder / ENERGIES_FILE
        tests = read_tests(self.read(TEST_LOG), energies.read_text(errors="replace") if energies.exists() else "")
        if curve:
            self.out("learning_curve", orm.ArrayData(dict(curve)))
        self.out("results", orm.Dict(self._results(version, log, curve, tests)))
        ended = self._training_failure(log, curve) or self._store_models(folder)
        if ended is not None:
            return ended
        if len(tests) < len(self._systems()):
            return self._later_failure("test", "ERROR_TEST_FAILED")
        # A training that was taken up at its last step has no row of its own.
        if not curve and "parent_folder" not in self.inputs:
            return self.exit_codes.ERROR_LEARNING_CURVE_MISSING
        return None

    def _training_failure(self, log: TrainingLog, curve: Mapping[str, Array]) -> ExitCode | None:
        """Return why the training did not come to its end, None if it did."""
        if log.finished:
            return None
        step, errors = _last_step(curve), self.read(error_file("train"))
        if self._out_of_wall_time():
            return self.exit_codes.ERROR_OUT_OF_WALLTIME.format(step=step)
        memory = self._memory_failure("train")
        if memory is not None:
            return self.exit_codes.ERROR_OUT_OF_MEMORY.format(reason=memory)
        if loss_is_nan(errors):
            return self.exit_codes.ERROR_NOT_FINITE.format(step=step)
        reason = first_exception(errors)
        if reason is None:
            return self.exit_codes.ERROR_INTERRUPTED.format(step=step)
        name = "ERROR_DEEPMD" if log.started else "ERROR_SETTINGS_REFUSED"
        return self.exit_codes[name].format(reason=reason)

    def _store_models(self, folder: Path) -> ExitCode | None:
        """Store the models, or return why one is missing."""
        compress = self.inputs.compress.value
        if not (folder / MODEL_FILE).exists():
            return self._later_failure("freeze", "ERROR_FREEZE_FAILED")
        self.out("uncompressed" if compress else "potential", self._potential(folder / MODEL_FILE))
        if not compress:
            return None
        if not (folder / COMPRESSED_FILE).exists():
            return self._later_failure("compress", "ERROR_COMPRESS_FAILED")
        self.out("potential", self._potential(folder / COMPRESSED_FILE))
        return None

    def _later_failure(self, step: str, name: str) -> ExitCode:
        """Return why a step after the training failed: its own error, or the job was cut in it."""
        memory = self._memory_failure(step)
        if memory is not None:
            return self.exit_codes.ERROR_OUT_OF_MEMORY.format(reason=memory)
        if self._out_of_wall_time():
            return self.exit_codes.ERROR_OUT_OF_WALLTIME.format(step=self.inputs.steps.value)
        reason = first_exception(self.read(error_file(step)))
        if reason is None:
            return self.exit_codes.ERROR_INTERRUPTED.format(step=self.inputs.steps.value)
        return self.exit_codes[name].format(reason=reason)

    def _out_of_wall_time(self) -> bool:
        """Tell whether the job stopped itself, or the scheduler did."""
        return WALL_TIME_FILE in self._names() or self.node.exit_status == SCHEDULER_OUT_OF_WALLTIME

    def _memory_failure(self, step: str) -> str | None:
        """Return what says that memory was not enough: DeePMD-kit, the system, or the scheduler."""
        scheduler = self.node.get_scheduler_stderr() or ""
        found = memory_failure(self.read(error_file(step)) + scheduler)
        if found is None and self.node.exit_status == SCHEDULER_OUT_OF_MEMORY:
            return "The scheduler says so."
        return found

    def _results(
        self, version: str, log: TrainingLog, curve: Mapping[str, Array], tests: Mapping[str, SystemErrors]
    ) -> dict[str, Any]:
        inputs = self.inputs
        splits = splits_of_inputs(self.inputs)
        seconds = read_cpu_seconds(self.read(CPU_TIME_FILE))
        return {
            "finished": log.finished,
            "steps": inputs.steps.value,
            "last_step": inputs.steps.value if log.finished else _last_step(curve),
            "checkpoint_step": self._checkpoint_step(log),
            "learning_rate": float(curve[LEARNING_RATE][-1]) if LEARNING_RATE in curve else None,
            "frames_training": sum(len(split.training) for split in splits.values()),
            "frames_validation": sum(len(split.validation) for split in splits.values()),
            **self._errors(TRAINING, tests),
            **self._errors(VALIDATION, tests),
            "sets": self._sets(tests),
            "seeds": derive_seeds(inputs.seed.value).by_name,
            "wall_time_s": log.wall_time_s,
            "seconds_per_step": log.seconds_per_step,
            "core_hours": None if seconds is None else seconds / 3600,
            "deepmd_version": version,
            "warnings": list(log.warnings),
        }

    def _checkpoint_step(self, log: TrainingLog) -> int | None:
        inputs = self.inputs
        begin = inputs.checkpoint_step.value if "checkpoint_step" in inputs else 0
        every = inputs.settings["training"].get("save_freq", SAVE_FREQ) or inputs.steps.value
        return read_checkpoint_step(self.read(Path(CHECKPOINT_FILE).name), log.checkpoints, begin, every)

    def _errors(self, part: str, tests: Mapping[str, SystemErrors]) -> dict[str, float | None]:
        """Return the errors over all frames of one part, None for each that is not known."""
        names = {system_path(part, name): name for name in sorted(self.inputs.frames)}
        errors = {names[path]: found for path, found in tests.items() if path in names}
        atoms = {name: len(self.inputs.frames[name].symbols) for name in errors}
        values = combine(errors, atoms) if errors else {}
        energy, virial = values.get("energy_ev_per_atom"), values.get("virial_ev_per_atom")
        return {
            f"rmse_energy_{part}_mev_per_atom": _milli(energy),
            f"rmse_force_{part}_ev_per_angstrom": plain(values.get("force_ev_per_angstrom")),
            f"rmse_virial_{part}_mev_per_atom": _milli(virial),
        }

    def _sets(self, tests: Mapping[str, SystemErrors]) -> dict[str, dict[str, Any]]:
        """Return the errors on each node of frames, by its name and by the part of it."""
        found: dict[str, dict[str, Any]] = {}
        for name in sorted(self.inputs.frames):
            for part in (TRAINING, VALIDATION):
                error = tests.get(system_path(part, name))
                if error is not None:
                    found.setdefault(name, {})[part] = {
                        "frames": error.frames,
                        "rmse_energy_mev_per_atom": _milli(error.energy_ev_per_atom),
                        "rmse_force_ev_per_angstrom": plain(error.force_ev_per_angstrom),
                        "rmse_virial_mev_per_atom": _milli(error.virial_ev_per_atom),
                        "energy_offset_mev_per_atom": _milli(error.energy_offset_ev_per_atom),
                    }
        return found

    def _systems(self) -> list[str]:
        """Return the folders that the model has to be tested on."""
        return [
            system_path(part, name)
            for name, split in splits_of_inputs(self.inputs).items()
            for part in (TRAINING, VALIDATION)
            if getattr(split, part)
        ]

    def _potential(self, path: Path) -> PotentialData:
        settings = self.inputs.settings.get_dict()
        return PotentialData(
            path,
            pair_style=DEEPMD,
            type_map=settings["model"]["type_map"],
            cutoff=cutoff_of(settings),
            origin=f"trained by DeePMD-kit {read_version(self.read(VERSION_FILE))}",
            label=f"dnp-seed-{self.inputs.seed.value}",
        )

    def _names(self) -> list[str]:
        return self.retrieved.base.repository.list_object_names()


def _last_step(curve: Mapping[str, Array]) -> int:
    """Return the last step that the learning curve shows, 0 if it shows none."""
    return int(curve[STEP][-1]) if STEP in curve else 0


def _milli(value: float | None) -> float | None:
    return None if value is None else plain(1000 * value)
