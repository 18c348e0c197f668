"""Take in a whole repository of models and training data, and say what in it does not fit."""

from __future__ import annotations

import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from aiida.orm import Group, Node

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import DEEPMD_SUFFIXES, PotentialData
from aiida_dnpmelt.parsers.training_record import training_record
from aiida_dnpmelt.physics.screening import ScreeningSettings

from .archives import is_archive, is_pointer, unpack
from .clones import git_origin, licence_of, text_of
from .consistency import (
    Finding,
    different_settings,
    element_of,
    named_sets,
    odd_temperatures,
    phase_of,
    temperature_of,
    training_findings,
)
from .datasets import find_sources
from .importers import DEEPMD_CODE, DatasetImporter, Imported, import_potential
from .sources import Source

_LEARNING_CURVE = "lcurve.out"
_SETTINGS = ("out.json", "input.json")
_TEMPERATURE_TOLERANCE = 1e-3
UNKNOWN = "?"


@dataclass(frozen=True)
class Brought:
    """What became of one model or one source of frames.

    :param place: where it lies within the repository; an archive counts as a folder.
    :param element: its element, ``?`` if nothing says it.
    :param what: ``model`` or ``frames``.
    :param state: as of `Imported`; a model is ``stored`` or ``refused``.
    :param node: the model, or the frames that can be trained on, if there are any.
    """

    place: str
    element: str
    what: str
    state: str
    node: Node | None = None
    frames: int = 0
    remark: str = ""


@dataclass
class _Seen:
    """What the rules look at, gathered on the way; sets of places are by element."""

    temperatures: dict[tuple[str, str], set[float]] = field(default_factory=lambda: defaultdict(set))
    incars: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    sets: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    systems: list[tuple[str, str, list[str]]] = field(default_factory=list)
    models: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))


class RepositoryImport:
    """All models and labelled frames below a folder, in archives, too, and what in it does not fit.

    The names of folders tell what files do not: the element, the temperature of a data set, the phase. Each element
    gets a group of its models and of the frames that can be trained on, named after the repository and the element.
    """

    def __init__(
        self,
        path: Path,
        origin: str | None = None,
        licence: str | None = None,
        name: str | None = None,
        screening: ScreeningSettings | None = None,
        code: str = DEEPMD_CODE,
    ) -> None:
        """Look at the folder.

        :param origin: where it comes from; else remote and commit of a clone of git.
        :param licence: else the first line of the file LICENSE.
        :param name: of the groups; else that of the folder.
        :param code: code of DeePMD-kit that opens the models.
        :raises ValueError: if it is no folder.
        """
        if not path.is_dir():
            raise ValueError(f"'{path}' is no folder: give a clone of a repository")
        self.path = path
        self.origin = origin if origin is not None else git_origin(path)
        self.licence = licence if licence is not None else licence_of(path)
        self.name = name or path.resolve().name
        self._screening, self._code = screening, code
        self._seen = _Seen()
        self._findings: list[Finding] = []

    def __iter__(self) -> Iterator[Brought]:
        """Store one after the other, models first, and yield what became of each."""
        files = sorted(each for each in self.path.rglob("*") if each.is_file())
        files = [each for each in files if ".git" not in each.relative_to(self.path).parts]
        yield from self._models(self.path, PurePosixPath(), files)
        yield from self._frames(self.path, PurePosixPath(), files)
        for archive in filter(is_archive, files):
            place = PurePosixPath(archive.relative_to(self.path).as_posix())
            if is_pointer(archive):
                self._find(place, element_of(place), "file", "stands for a file that is not here: run `git lfs pull`")
                continue
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary)
                if flaw := unpack(archive, folder):
                    self._find(place, element_of(place), "file", flaw)
                inside = sorted(each for each in folder.rglob("*") if each.is_file())
                yield from self._models(folder, place, inside)
                yield from self._frames(folder, place, inside)

    def findings(self) -> list[Finding]:
        """Return what does not fit in all that has been looked at, by element and rule."""
        seen, found = self._seen, list(self._findings)
        elements = {symbol for _, symbol in seen.temperatures}
        for (place, symbol), temperatures in seen.temperatures.items():
            if words := odd_temperatures(symbol, temperatures, elements):
                found.append(Finding(place, symbol, "temperature", words))
        for symbol, incars in seen.incars.items():
            if words := different_settings(symbol, incars):
                found.append(Finding("", symbol, "settings", words))
        for place, symbol, systems in seen.systems:
            found += named_sets(place, symbol, systems, seen.sets[symbol])
        for places in seen.models.values():
            if len(places) > 1:
                symbol = element_of(PurePosixPath(places[0])) or UNKNOWN
                found.append(Finding(places[1], symbol, "file", f"the same model as {places[0]}"))
        return sorted(found, key=lambda each: (each.element, each.rule, each.place))

    def _models(self, folder: Path, place: PurePosixPath, files: list[Path]) -> Iterator[Brought]:
        """Store the models of a folder, and look at the trainings that it tells of."""
        models = [each for each in files if each.suffix in DEEPMD_SUFFIXES]
        trainings = {each.parent for each in files if each.name in (*_SETTINGS, _LEARNING_CURVE)}
        for model in models:
            yield self._model(model, place / model.relative_to(folder).as_posix())
        for each in sorted(trainings | {model.parent for model in models}):
            number = sum(model.parent == each for model in models)
            self._training(each, place / each.relative_to(folder).as_posix(), number)

    def _model(self, file: Path, place: PurePosixPath) -> Brought:
        symbol = element_of(place)
        known = symbol or UNKNOWN
        if is_pointer(file):
            self._find(place, symbol, "file", "stands for a file that is not here: run `git lfs pull`")
            return Brought(str(place), known, "model", "refused", remark="a pointer of Git LFS")
        try:
            origin = ", ".join(filter(None, [self.origin, str(place)]))
            node = import_potential(file, origin=origin, licence=self.licence, code=self._code)
        except (ValueError, OSError) as error:
            self._find(place, symbol, "file", f"no model: {error}")
            return Brought(str(place), known, "model", "refused", remark=str(error))
        self._seen.models[node.pk].append(str(place))
        if symbol is not None and not node.supports([symbol]):
            self._find(place, symbol, "element", f"a model of {', '.join(node.type_map)} under the name of {symbol}")
        known = symbol if symbol is not None and node.supports([symbol]) else node.type_map[0]
        self._group(known, node)
        return Brought(str(place), known, "model", "stored", node, remark=node.unfinished)

    def _training(self, folder: Path, place: PurePosixPath, models: int) -> None:
        """Look at the files that tell of a training, whether its models are there or not."""
        settings = next((text for name in _SETTINGS if (text := text_of(folder / name)) is not None), None)
        curve = text_of(folder / _LEARNING_CURVE)
        symbol = element_of(place)
        try:
            record = training_record(settings, (curve or "").splitlines(keepends=True))
            systems = _systems(settings)
        except ValueError as error:
            self._find(place, symbol, "training", str(error))
            return
        symbol = symbol or next(iter(record["type_map"] or ()), UNKNOWN)
        if record["type_map"] is not None and symbol not in record["type_map"]:
            self._find(place, symbol, "element", f"the training is one of {', '.join(record['type_map'])}")
        self._findings += training_findings(str(place), symbol, record, models)
        if systems:
            self._seen.systems.append((str(place), symbol, systems))

    def _frames(self, folder: Path, place: PurePosixPath, files: list[Path]) -> Iterator[Brought]:
        """Store the frames of a folder, runs before the sets that were made of them."""
        self._bare_folders(folder, place, files)
        importer = DatasetImporter(self.origin, self.licence, self._screening)
        temperatures: list[float] = []
        labels: dict[str, Counter[str]] = defaultdict(Counter)
        try:
            sources = list(find_sources(folder))
        except ValueError:
            return
        for source in sources:
            inside = PurePosixPath(source.path.relative_to(folder).as_posix())
            at = place / inside
            symbol = element_of(at)
            folder_says = temperature_of(at, symbol)
            done = importer.take(source, symbol, phase_of(at), folder_says or _common(temperatures), str(at))
            known = symbol or (done.node.frames.symbols[0] if done.node else UNKNOWN)
            if done.node is not None and source.kind == "vasprun.xml":
                temperatures.append(self._temperature(at, known, folder_says, done.node))
            if folder_says is not None:
                self._seen.temperatures[_root(at, known), known].add(folder_says)
            if source.path.is_dir():
                self._seen.sets[known].append(str(at))
            self._labels(labels[known], at, known, source, done)
            if done.screened is not None:
                self._group(known, done.screened)
            usable = len(done.screened.frames) if done.screened else 0
            yield Brought(str(at), known, "frames", done.state, done.screened, usable, done.remark)
        for symbol, counts in labels.items():
            if words := _counted(counts):
                self._find(place, symbol, "labels", words)

    def _temperature(self, place: PurePosixPath, symbol: str, folder_says: float | None, node: FramesData) -> float:
        """Return the temperature of a run in K, and compare it with that of its folder."""
        temperature = float(node.get_array("temperatures").mean())
        if folder_says is not None and abs(temperature / folder_says - 1) > _TEMPERATURE_TOLERANCE:
            self._find(place, symbol, "temperature", f"a run at {temperature:g} K in the folder {folder_says:g}")
        incar = node.base.attributes.get("labels_incar", None)
        if incar:
            self._seen.incars[symbol].append(incar)
        return temperature

    def _labels(self, counts: Counter[str], place: PurePosixPath, symbol: str, source: Source, done: Imported) -> None:
        """Count what is wrong with labels; name what was refused, and sets with labels that should not be in them."""
        if done.state == "refused":
            rule = "element" if "the frames hold" in done.remark else "labels"
            self._find(place, symbol, rule, f"refused: {done.remark}")
        elif source.path.is_dir():
            counts["sets"] += 1
            counts["sets with bad frames"] += bool(done.repeated)
            left_out = max(0, _lines(source.path / "energy.raw") - done.number)
            counts["sets with frames left out"] += left_out > 0
            counts["left out"] += left_out
            for reason, number in done.repeated:
                counts[f"repeated: {reason}"] += number
        else:
            counts["runs"] += 1
            counts["frames"] += done.number
            counts["empty"] += done.state == "empty"
            counts["cut"] += done.state != "empty" and "ionic steps" in done.remark
            for reason, number in done.dropped:
                counts[f"dropped: {reason}"] += number

    def _bare_folders(self, folder: Path, place: PurePosixPath, files: list[Path]) -> None:
        """Name folders with the input of a run and without its results, and parts of runs under other names."""
        results = {each.parent for each in files if each.name in ("vasprun.xml", "OUTCAR")}
        bare: dict[str, list[str]] = defaultdict(list)
        aside: Counter[str] = Counter()
        for each in files:
            at = place / each.relative_to(folder).as_posix()
            symbol = element_of(at) or UNKNOWN
            if each.name == "POSCAR" and each.parent not in results:
                bare[symbol].append(str(at.parent))
                if (temperature := temperature_of(at, symbol)) is not None:
                    self._seen.temperatures[_root(at, symbol), symbol].add(temperature)
            aside[symbol] += each.name.endswith("_vasprun.xml")
        for symbol, places in bare.items():
            words = f"{len(places)} folders hold the structure of a run and no results, as {places[0]}"
            self._find(place, symbol, "missing", words)
        for symbol, number in aside.items():
            if number:
                words = f"{number} parts of runs under other names (as bp_vasprun.xml), left alone"
                self._find(place, symbol, "labels", words)

    def _find(self, place: PurePosixPath, symbol: str | None, rule: str, words: str) -> None:
        self._findings.append(Finding(str(place), symbol or UNKNOWN, rule, words))

    def _group(self, symbol: str, node: FramesData | PotentialData) -> None:
        group, _ = Group.collection.get_or_create(f"{self.name}/{symbol}")
        group.add_nodes([node])


def _lines(path: Path) -> int:
    if not path.is_file():
        return 0
    with path.open("rb") as lines:
        return sum(bool(line.strip()) for line in lines)


def _systems(settings: str | None) -> list[str]:
    """Return the data sets that the settings of a training name."""
    content = json.loads(settings) if settings else {}
    training = content.get("training", {}) if isinstance(content, dict) else {}
    data = training.get("training_data", training) if isinstance(training, dict) else {}
    systems = data.get("systems", []) if isinstance(data, dict) else []
    return [str(each) for each in systems] if isinstance(systems, list) else [str(systems)]


def _common(temperatures: list[float]) -> float | None:
    """Return the temperature that runs have in common, None if they have none."""
    same = bool(temperatures) and max(temperatures) <= (1 + _TEMPERATURE_TOLERANCE) * min(temperatures)
    return temperatures[0] if same else None


def _root(place: PurePosixPath, symbol: str) -> str:
    """Return the outermost part of a place that the element can be read from: what was published as one thing."""
    for number in range(1, len(place.parts)):
        part = PurePosixPath(*place.parts[:number])
        if element_of(part) == symbol:
            return str(part)
    return str(place.parent)


def _counted(counts: Counter[str]) -> str:
    """Return in words what is wrong with the labels of runs."""
    parts = []
    if words := _reasons(counts, "dropped: "):
        number = sum(value for name, value in counts.items() if name.startswith("dropped: "))
        parts.append(f"{number} of {counts['frames']} frames cannot be trained on ({words})")
    if words := _reasons(counts, "repeated: "):
        parts.append(f"{counts['sets with bad frames']} of {counts['sets']} data sets hold such frames ({words})")
    if counts["left out"]:
        sets = counts["sets with frames left out"]
        words = f"{counts['left out']} frames of the .raw files were left out of {sets} data sets made of them"
        parts.append(f"{words}, for reasons not on record")
    if counts["empty"]:
        parts.append(f"{counts['empty']} of {counts['runs']} runs hold no frame")
    if counts["cut"]:
        parts.append(f"{counts['cut']} of {counts['runs']} runs were cut")
    return "; ".join(parts)


def _reasons(counts: Counter[str], prefix: str) -> str:
    found = {name.removeprefix(prefix): number for name, number in counts.items() if name.startswith(prefix)}
    return ", ".join(f"{number} {reason}" for reason, number in found.items())
