"""Read the files that a DeePMD training leaves: learning curve, logs and tests. Knows nothing of AiiDA."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEP = "step"
LEARNING_RATE = "learning_rate"
MAX_REASON_LENGTH = 300

_PARTS = {"trn": "training", "val": "validation"}
_ERRORS = {
    "rmse": "rmse_loss_{part}",
    "rmse_e": "rmse_energy_{part}_ev_per_atom",
    "rmse_f": "rmse_force_{part}_ev_per_angstrom",
    "rmse_v": "rmse_virial_{part}_ev_per_atom",
}
_COLUMNS = {
    "step": STEP,
    "lr": LEARNING_RATE,
    **{f"{key}_{short}": name.format(part=part) for key, name in _ERRORS.items() for short, part in _PARTS.items()},
    **{key: name.format(part="training") for key, name in _ERRORS.items()},  # without validation, in old versions
}

_VERSION = re.compile(r"DeePMD-kit v(\S+)")
_CHECKPOINTS = re.compile(r'^all_model_checkpoint_paths: ".*-(\d+)"', re.MULTILINE)
_WALL = re.compile(r"\bwall time: ([0-9.]+) s")
_SPEED = re.compile(r"average training time: ([0-9.]+) s/batch")
_WARNING = re.compile(r"DEEPMD WARNING\s+(?:deepmd\.\S+\s+)?(.*)")
_ADVICE = "DP_INFER_BATCH_SIZE"  # printed every time
# What is written where there is no GPU holds "Error" and "failed", too, but not as the name of an exception.
_EXCEPTION = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|NotFound|Interrupt)(?:: .*)?$", re.MULTILINE)
_MEMORY = re.compile(
    r"^.*(?:MemoryError|ResourceExhausted|OOM when allocating|std::bad_alloc|Cannot allocate memory"
    r"|oom.kill|[Oo]ut of memory).*$",
    re.MULTILINE,
)
_TESTED = re.compile(r"# testing system : (\S+)")
_TEST_COUNT = re.compile(r"# number of test data : (\d+)")
_TEST_VALUES = {
    "energy": re.compile(r"Energy RMSE/Natoms : (\S+) eV"),
    "force": re.compile(r"Force  RMSE        : (\S+) eV"),
    "virial": re.compile(r"Virial RMSE/Natoms : (\S+) eV"),
}
_USER_SYSTEM = re.compile(r"(\d+)m([0-9.]+)s (\d+)m([0-9.]+)s")


@dataclass(frozen=True)
class TrainingLog:
    """What the log of `dp train` says.

    :param started: the first step was made.
    :param finished: the last step was made.
    :param checkpoints: number of checkpoints that were wholly written.
    :param wall_time_s: time of the steps in s, without the start; None if it did not finish.
    :param seconds_per_step: None if it did not finish.
    :param warnings: warnings, each once.
    """

    started: bool
    finished: bool
    checkpoints: int
    wall_time_s: float | None
    seconds_per_step: float | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class SystemErrors:
    """Root mean square errors of a model on one system, and its mean signed error of the energy.

    :param frames: number of frames.
    :param energy_ev_per_atom: in eV an atom.
    :param force_ev_per_angstrom: of the components, in eV/Angstrom.
    :param virial_ev_per_atom: of the components, in eV an atom; NaN without labels.
    :param energy_offset_ev_per_atom: mean of model minus label in eV an atom; NaN if it was not printed.
    """

    frames: int
    energy_ev_per_atom: float
    force_ev_per_angstrom: float
    virial_ev_per_atom: float
    energy_offset_ev_per_atom: float = float("nan")


def read_version(text: str) -> str | None:
    """Return the version of DeePMD-kit, None if the text names none."""
    found = _VERSION.search(text)
    return found[1] if found else None


def read_learning_curve(lines: Iterable[str]) -> dict[str, Array]:
    """Return the columns of a learning curve by names with units; no column without a row.

    A restarted training writes a second header and repeats rows: the last row of a step counts. A row that was
    cut is left out, and so is one whose numbers cannot be read.
    """
    names: list[str] = []
    rows: dict[int, dict[str, float]] = {}
    for line in lines:
        words = line.lstrip("# ").split()
        if line.startswith("#"):
            names = words if words[:1] == [STEP] else names
        elif len(words) == len(names) > 0 and line.endswith("\n"):
            try:
                values = [float(word) for word in words]
                step = int(values[0])
            except (ValueError, OverflowError):
                continue
            rows[step] = dict(zip(names, values, strict=True))
    return _table(rows)


def join_curves(curves: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Return the pieces of one learning curve as one; the later piece counts where two have the same step.

    A training that goes on from a checkpoint repeats what the piece before had done after it: this is dropped.
    """
    names = dict.fromkeys(name for curve in curves for name in curve)
    rows: dict[int, dict[str, float]] = {}
    for curve in curves:
        if not len(curve.get(STEP, ())):
            continue
        rows = {step: row for step, row in rows.items() if step < curve[STEP][0]}
        for index, step in enumerate(curve[STEP]):
            rows[int(step)] = {name: float(values[index]) for name, values in curve.items()}
    return {name: np.array([rows[step].get(name, np.nan) for step in sorted(rows)]) for name in names}


def read_log(text: str) -> TrainingLog:
    """Return what the log of `dp train` says; it may be cut anywhere."""
    wall, speed = _WALL.search(text), _SPEED.search(text)
    return TrainingLog(
        started="start training at lr" in text,
        finished="finished training" in text,
        checkpoints=text.count("saved checkpoint"),
        wall_time_s=float(wall[1]) if wall else None,
        seconds_per_step=float(speed[1]) if speed else None,
        warnings=tuple(dict.fromkeys(line.strip() for line in _WARNING.findall(text) if _ADVICE not in line)),
    )


def read_checkpoint_step(text: str, written: int, begin: int, every: int) -> int | None:
    """Return the step of the last whole checkpoint, None if there is none.

    TensorFlow names a checkpoint in its list before all of its files are there: the last one counts only if the log
    says that it was written.

    :param text: the list, the file `checkpoint`.
    :param written: number of checkpoints that the log of the job says were written.
    :param begin: step of the checkpoint that the job went on from, 0 for none.
    :param every: steps between checkpoints; there is one more at the last step.
    """
    steps = sorted(int(step) for step in _CHECKPOINTS.findall(text))
    if not steps:
        return None
    last = steps[-1]
    made = last // every - begin // every + (1 if last % every else 0)
    if last <= begin or written >= made:
        return last
    return steps[-2] if len(steps) > 1 else None


def read_cpu_seconds(text: str) -> float | None:
    """Return user and system time in s from what the shell's `times` prints, None if it printed nothing."""
    found = _USER_SYSTEM.findall(text)
    if not found:
        return None
    return sum(60 * int(row[0]) + float(row[1]) + 60 * int(row[2]) + float(row[3]) for row in found)


def first_exception(text: str) -> str | None:
    """Return the first exception of a Python program, which caused the others, in a line; None if there is none."""
    found = _EXCEPTION.search(text)
    return found[0][:MAX_REASON_LENGTH] if found else None


def loss_is_nan(text: str) -> bool:
    """Tell whether the error stream of `dp train` says that the loss became NaN."""
    return "NaN detected at batch" in text


def memory_failure(text: str) -> str | None:
    """Return the line that says that memory was not enough, None if there is none."""
    found = _MEMORY.search(text)
    return found[0].strip()[:MAX_REASON_LENGTH] if found else None


def read_tests(log: str, energies: str) -> dict[str, SystemErrors]:
    """Return the errors on each system by its folder, from the log of `dp test` and its file of energies an atom.

    The file has the frames of all systems in the order of the log. A system whose numbers are not all in the log is
    left out.
    """
    differences = _differences(energies)
    found = {}
    for block in log.split("output of dp test")[1:]:
        body = block.split("weighted average of errors")[0]
        name, count = _TESTED.search(body), _TEST_COUNT.search(body)
        energy, force, virial = (_TEST_VALUES[key].search(body) for key in ("energy", "force", "virial"))
        if name is None or count is None or energy is None or force is None:
            continue
        frames = int(count[1])
        own, differences = differences[:frames], differences[frames:]
        found[name[1]] = SystemErrors(
            frames=frames,
            energy_ev_per_atom=float(energy[1]),
            force_ev_per_angstrom=float(force[1]),
            virial_ev_per_atom=float(virial[1]) if virial else float("nan"),
            energy_offset_ev_per_atom=float(np.mean(own)) if len(own) == frames else float("nan"),
        )
    return found


def combine(errors: Mapping[str, SystemErrors], atoms: Mapping[str, int]) -> dict[str, float]:
    """Return the errors over several systems: frames count alike for energy and virial, atoms for forces.

    :param atoms: number of atoms of each system, by the same names.
    """
    frames = np.array([error.frames for error in errors.values()], dtype=float)
    weights = frames * [atoms[name] for name in errors]
    return {
        "energy_ev_per_atom": _rms([error.energy_ev_per_atom for error in errors.values()], frames),
        "force_ev_per_angstrom": _rms([error.force_ev_per_angstrom for error in errors.values()], weights),
        "virial_ev_per_atom": _rms([error.virial_ev_per_atom for error in errors.values()], frames),
    }


def _rms(values: Sequence[float], weights: Array) -> float:
    return float(np.sqrt(np.average(np.square(values), weights=weights)))


def _table(rows: Mapping[int, Mapping[str, float]]) -> dict[str, Array]:
    found = dict.fromkeys(name for row in rows.values() for name in row)
    steps = sorted(rows)
    return {
        _COLUMNS[name]: np.array([rows[step].get(name, np.nan) for step in steps]) for name in found if name in _COLUMNS
    }


def _differences(text: str) -> list[float]:
    """Return model minus label of each frame, from lines of label and model."""
    pairs = [line.split() for line in text.splitlines() if not line.startswith("#")]
    return [float(words[1]) - float(words[0]) for words in pairs if len(words) == 2]


def plain(value: Any) -> Any:
    """Return a number as JSON has it: None for what is not finite."""
    return None if isinstance(value, float) and not np.isfinite(value) else value
