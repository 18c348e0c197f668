"""Take in a whole repository of models and training data, and say what in it does not fit."""

from __future__ import annotations

import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from aiida.orm import Group, Node

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import DEEPMD_SUFFIXES, PotentialData
from aiida_dnpmelt.parsers.training_record import named_systems, settings_flaw, training_record
from aiida_dnpmelt.physics.screening import ScreeningSettings

from .archives import is_archive, is_of_use, is_pointer, is_run, unpack
from .clones import bytes_of, git_origin, licence_of
from .consistency import (
    Finding,
    different_settings,
    element_of,
    named_sets,
    named_structures,
    named_temperatures,
    odd_temperatures,
    once,
    phase_of,
    settings_of,
    structures_of,
    temperature_of,
    training_findings,
)
from .datasets import sources_in
from .importers import DEEPMD_CODE, LEARNING_CURVE, SETTINGS, DatasetImporter, Imported, import_potential
from .sources import Source
from .tree import Tree, walk

_TEMPERATURE_TOLERANCE = 1e-3
_DRIFT = 0.1
"""Relative distance of the mean temperature of a run without a thermostat, or of a ramp, from that of its folder."""
_DETAILS = ("incar", "potcars", "kpoints", "kpoint_mesh")
_POINTER = "stands for a file that is not here: run `git lfs pull`"
UNKNOWN = "?"


@dataclass(frozen=True)
class Brought:
    """What became of one model or one source of frames.

    :param place: where it lies within the repository; an archive counts as a folder.
    :param element: its element, ``?`` if nothing says it.
    :param what: ``model``, ``frames``, or ``link``: one that is not followed, or a folder that cannot be read.
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
    settings: dict[str, list[dict[str, str]]] = field(default_factory=lambda: defaultdict(list))
    sets: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    trainings: list[_Training] = field(default_factory=list)
    models: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    structures: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


@dataclass(frozen=True)
class _Training:
    """A training: where its settings lie, its elements, that of its folder first, and the data sets that it names."""

    place: str
    elements: tuple[str, ...]
    systems: list[str]


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
        self._summaries: list[Finding] = []

    def __iter__(self) -> Iterator[Brought]:
        """Store one after the other, models first, and yield what became of each."""
        tree = walk(self.path, lambda name: is_of_use(name) or is_archive(Path(name)))
        yield from self._folder(self.path, PurePosixPath(), tree)
        for archive in filter(is_archive, tree.files):
            place = _place(archive, self.path)
            if is_pointer(archive):
                self._find(place, element_of(place), "file", _POINTER)
                continue
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary)
                if flaw := unpack(archive, folder):
                    self._find(place, element_of(place), "file", flaw)
                yield from self._folder(folder, place, walk(folder, is_of_use))

    def findings(self) -> list[Finding]:
        """Return what does not fit in all that has been looked at, by element and rule.

        Those on single files that differ in numbers alone are one.
        """
        found = [*once([*self._findings, *self._of_trainings()]), *self._summaries]
        seen, elements = self._seen, self._elements()
        for (place, symbol), temperatures in seen.temperatures.items():
            if words := odd_temperatures(symbol, temperatures, elements):
                found.append(Finding(place, symbol, "temperature", words))
        for symbol, runs in seen.settings.items():
            if words := different_settings(symbol, runs):
                found.append(Finding("", symbol, "settings", words))
        for places in seen.models.values():
            if len(places) > 1:
                symbol = element_of(PurePosixPath(places[0])) or UNKNOWN
                found.append(Finding(places[1], symbol, "file", f"the same model as {places[0]}"))
        return sorted(found, key=lambda each: (each.element, each.rule, each.place))

    def _elements(self) -> set[str]:
        return {symbol for _, symbol in self._seen.temperatures} | {each.elements[0] for each in self._seen.trainings}

    def _of_trainings(self) -> list[Finding]:
        """Return what is wrong with the data sets that trainings name, whether these are here or not."""
        found, owners = [], {name: counts.copy() for name, counts in self._seen.structures.items()}
        for training in self._seen.trainings:
            for name in (name for system in training.systems for name in structures_of(PurePosixPath(system))):
                owners.setdefault(name, Counter())[training.elements[0]] += 1
        for place, own, systems in ((each.place, each.elements, each.systems) for each in self._seen.trainings):
            found += named_sets(place, own[0], systems, self._seen.sets[own[0]], own)
            found += named_structures(place, own, systems, owners)
            found += named_temperatures(place, own[0], systems, self._elements())
        return found

    def _folder(self, folder: Path, place: PurePosixPath, tree: Tree) -> Iterator[Brought]:
        """Store what is in a folder, and tell what in it is not looked at."""
        yield from self._models(folder, place, tree.files)
        yield from self._frames(folder, place, tree)
        for left, words in tree.left.items():
            at = place / _place(left, folder)
            self._find(at, element_of(at), "file", words)
            yield Brought(str(at), element_of(at) or UNKNOWN, "link", "refused", remark=words)

    def _models(self, folder: Path, place: PurePosixPath, files: list[Path]) -> Iterator[Brought]:
        """Store the models of a folder, and look at the trainings that it tells of."""
        models = [each for each in files if each.suffix in DEEPMD_SUFFIXES]
        trainings: dict[Path, dict[str, Path]] = {model.parent: {} for model in models}
        for each in files:
            if each.name in (*SETTINGS, LEARNING_CURVE):
                trainings.setdefault(each.parent, {})[each.name] = each
        for model in models:
            yield self._model(model, place / _place(model, folder))
        for each, present in sorted(trainings.items()):
            number = sum(model.parent == each for model in models)
            self._training(present, place / _place(each, folder), number)

    def _model(self, file: Path, place: PurePosixPath) -> Brought:
        symbol = element_of(place)
        known = symbol or UNKNOWN
        if is_pointer(file):
            self._find(place, symbol, "file", _POINTER)
            return Brought(str(place), known, "model", "refused", remark="a pointer of Git LFS")
        try:
            origin = ", ".join(filter(None, [self.origin, str(place)]))
            node = import_potential(file, origin=origin, licence=self.licence, code=self._code)
        except (ValueError, OSError) as error:
            words = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
            words = words.replace(str(file), str(place))
            self._find(place, symbol, "file", f"no model: {words}")
            return Brought(str(place), known, "model", "refused", remark=words)
        self._seen.models[node.pk].append(str(place))
        if symbol is not None and not node.supports([symbol]):
            self._find(place, symbol, "element", f"a model of {', '.join(node.type_map)} under the name of {symbol}")
        known = symbol if symbol is not None and node.supports([symbol]) else node.type_map[0]
        self._group(known, node)
        remark = "; ".join(filter(None, [node.unfinished, node.training_flaw]))
        return Brought(str(place), known, "model", "stored", node, remark=remark)

    def _training(self, present: dict[str, Path], place: PurePosixPath, models: int) -> None:
        """Look at the files that tell of a training, whether its models are there or not."""
        contents = {name: bytes_of(present[name]) for name in (*SETTINGS, LEARNING_CURVE) if name in present}
        for name, content in contents.items():
            flaw = "cannot be read" if content is None else settings_flaw(content) if name in SETTINGS else ""
            if flaw:
                self._find(place, element_of(place), "training", f"{name} {flaw}")
        settings = min(
            (content for name in SETTINGS if (content := contents.get(name)) is not None),
            key=lambda content: bool(settings_flaw(content)),
            default=None,
        )
        curve = (contents.get(LEARNING_CURVE) or b"").decode(errors="replace")
        record = training_record(settings, curve.splitlines(keepends=True))
        names = tuple(record["type_map"] or ())
        symbol = element_of(place) or next(iter(names), UNKNOWN)
        if names and symbol not in names:
            self._find(place, symbol, "element", f"the training is one of {', '.join(names)}")
        self._findings += training_findings(str(place), symbol, record, models)
        if systems := named_systems(settings):
            self._seen.trainings.append(_Training(str(place), (symbol, *names), systems))

    def _frames(self, folder: Path, place: PurePosixPath, tree: Tree) -> Iterator[Brought]:
        """Store the frames of a folder, runs before the sets that were made of them."""
        self._bare_folders(folder, place, tree.files)
        importer = DatasetImporter(self.origin, self.licence, self._screening)
        temperatures: list[float] = []
        labels: dict[str, Counter[str]] = defaultdict(Counter)
        for source in sources_in(tree):
            at = place / _place(source.path, folder)
            shown = str(place / source.inside(folder))
            symbol = element_of(at)
            folder_says = temperature_of(at, symbol)
            done = importer.take(source, symbol, phase_of(at), folder_says or _common(temperatures), shown)
            known = symbol or (done.node.frames.symbols[0] if done.node else UNKNOWN)
            if done.node is not None and source.kind in ("vasprun.xml", "OUTCAR"):
                temperatures.append(self._temperature(at, known, folder_says, done.node))
            if folder_says is not None:
                self._seen.temperatures[_root(at, known), known].add(folder_says)
            if source.path.is_dir():
                self._seen.sets[known].append(str(at))
            self._see_structures(at, known)
            self._labels(labels[known], at, known, source, done)
            if done.screened is not None:
                self._group(known, done.screened)
            usable = len(done.screened.frames) if done.screened else 0
            yield Brought(shown, known, "frames", done.state, done.screened, usable, done.remark)
        for symbol, counts in labels.items():
            if words := _counted(counts):
                self._summaries.append(Finding(str(place), symbol, "labels", words))

    def _see_structures(self, place: PurePosixPath, symbol: str) -> None:
        for name in structures_of(place):
            self._seen.structures[name][symbol] += 1

    def _temperature(self, place: PurePosixPath, symbol: str, folder_says: float | None, node: FramesData) -> float:
        """Return the temperature of a run in K, and compare it with that of its folder."""
        temperatures = node.get_array("temperatures")
        temperature = float(temperatures.mean())
        tolerance = _TEMPERATURE_TOLERANCE if np.ptp(temperatures) == 0 else _DRIFT
        if folder_says is not None and abs(temperature / folder_says - 1) > tolerance:
            self._find(place, symbol, "temperature", f"a run at {temperature:g} K in the folder {folder_says:g}")
        attributes = node.base.attributes
        details = {name: attributes.get(f"labels_{name}", None) for name in _DETAILS}
        if details["incar"]:
            self._seen.settings[symbol].append(settings_of(details, len(attributes.get("symbols"))))
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
        results = {each.parent for each in files if is_run(each.name)}
        bare: dict[str, list[str]] = defaultdict(list)
        aside: Counter[str] = Counter()
        for each in files:
            at = place / _place(each, folder)
            symbol = element_of(at) or UNKNOWN
            if each.name == "POSCAR" and each.parent not in results:
                bare[symbol].append(str(at.parent))
                self._see_structures(at, symbol)
                if (temperature := temperature_of(at, symbol)) is not None:
                    self._seen.temperatures[_root(at, symbol), symbol].add(temperature)
            aside[symbol] += each.name.endswith("_vasprun.xml")
        for symbol, places in bare.items():
            words = f"{len(places)} folders hold the structure of a run and no results, as {places[0]}"
            self._summaries.append(Finding(str(place), symbol, "missing", words))
        for symbol, number in aside.items():
            if number:
                words = f"{number} parts of runs under other names (as bp_vasprun.xml), left alone"
                self._summaries.append(Finding(str(place), symbol, "labels", words))

    def _find(self, place: PurePosixPath, symbol: str | None, rule: str, words: str) -> None:
        self._findings.append(Finding(str(place), symbol or UNKNOWN, rule, words))

    def _group(self, symbol: str, node: FramesData | PotentialData) -> None:
        group, _ = Group.collection.get_or_create(f"{self.name}/{symbol}")
        group.add_nodes([node])


def _place(path: Path, folder: Path) -> PurePosixPath:
    """Return where a file lies in a folder; any bytes can be a name, and are stored as text."""
    return PurePosixPath(os.fsencode(path.relative_to(folder)).decode(errors="replace"))


def _lines(path: Path) -> int:
    return sum(bool(line.strip()) for line in (bytes_of(path) or b"").splitlines())


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
