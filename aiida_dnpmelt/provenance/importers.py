"""Take what others made into the provenance graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from aiida.common.exceptions import ValidationError
from aiida.orm import CalcFunctionNode, Code, Data, Dict, Int, QueryBuilder, SinglefileData

from aiida_dnpmelt.calculations.deepmd_show import DeepmdShowCalculation
from aiida_dnpmelt.calculations.screening import screen_frames
from aiida_dnpmelt.data.elements import elements
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import DEEPMD, DEEPMD_SUFFIXES, PotentialData, no_model, pair_style_of
from aiida_dnpmelt.data.trust import own_code, trust, untrusted
from aiida_dnpmelt.parsers.training_record import settings_flaw
from aiida_dnpmelt.physics.frames import LabelledFrames
from aiida_dnpmelt.physics.functional import functional_of
from aiida_dnpmelt.physics.matching import KnownFrames
from aiida_dnpmelt.physics.screening import ScreeningSettings

from .clones import bytes_of
from .datasets import find_sources, read_dataset
from .local_jobs import run_here
from .sources import NO_FRAMES, Dataset, Source, UnknownTemperatureError

_SAME_ENERGY_EV = 1e-3
"""Distance of energies of a cell up to which they are those that were stored: P V of one atmosphere is less."""
_ANY_TEMPERATURE_K = 1.0
"""Stands for one that is not known, in frames that are looked for among others and are not stored."""
DEEPMD_CODE = "dp@localhost"
SETTINGS = ("out.json", "input.json")
LEARNING_CURVE = "lcurve.out"
"""Files beside a model that tell of its training."""
State = Literal["stored", "known", "copy", "empty", "refused"]


@dataclass(frozen=True)
class Imported:
    """What became of a source of labelled frames.

    :param state: ``stored`` now; ``known`` from an import before; ``copy`` of frames that were read before,
        whose labels were compared; ``empty``; ``refused``.
    :param number: of frames that were read.
    :param node: the frames as they were read, if they are stored.
    :param screened: those that can be trained on, by `screen_frames`; None if there is none.
    :param dropped: number of frames that `screen_frames` dropped, by reason.
    :param repeated: number of frames of a data set that were dropped from the runs which they are from, by reason.
    :param remark: what is to be known of the source, in words.
    """

    source: Source
    state: State
    number: int = 0
    node: FramesData | None = None
    screened: FramesData | None = None
    dropped: tuple[tuple[str, int], ...] = ()
    repeated: tuple[tuple[str, int], ...] = ()
    remark: str = ""


class DatasetImporter:
    """Store sources one after the other, runs before the data sets that were made of them.

    See `import_dataset` for what is stored.
    """

    def __init__(self, origin: str = "", licence: str = "", screening: ScreeningSettings | None = None) -> None:
        """Take what is the same for all sources."""
        self._facts = {"origin": origin, "licence": licence}
        self._settings = Dict((screening or ScreeningSettings()).model_dump())
        self._read = KnownFrames()
        self._dropped: list[dict[int, str]] = []  # of each that was read: reasons by the index of the frame

    def take(
        self, source: Source, symbol: str | None, phase: str | None, temperature_k: float | None, place: str
    ) -> Imported:
        """Store the frames of a source that are not stored yet, screen them, and return what became of it.

        :param place: where the source lies, as it is kept.
        """
        try:
            found = self._found(source, symbol, temperature_k)
            if found.frames is None:
                return Imported(source, "empty", remark=found.flaw or NO_FRAMES)
            number, remark = len(found.frames), _remark(found)
            repeated: tuple[tuple[str, int], ...] = ()
            if source.path.is_dir():
                found, repeated, remark = self._without_copies(found, remark)
            if found.frames is None:
                return Imported(source, "copy", number, repeated=repeated, remark=remark)
            return replace(self._store(source, found, phase, remark, place), repeated=repeated)
        except (OSError, ValueError, ValidationError) as error:
            words = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
            return Imported(source, "refused", remark=words.replace(str(source.path), place))

    def _found(self, source: Source, symbol: str | None, temperature_k: float | None) -> Dataset:
        """Return the frames of a source; of a set of which all were read before nobody needs to say the temperature."""
        try:
            return read_dataset(source, symbol, temperature_k)
        except UnknownTemperatureError:
            found = read_dataset(source, symbol, _ANY_TEMPERATURE_K)
            if found.frames is not None and self._read.match(found.frames).new:
                raise
            return found

    def _store(self, source: Source, found: Dataset, phase: str | None, remark: str, place: str) -> Imported:
        assert found.frames is not None
        checksum = source.sha256
        known = QueryBuilder().append(FramesData, filters={"attributes.sha256": checksum}).all(flat=True)
        foreign = untrusted(known)  # what an archive says of the file that its frames are from may not be true
        foreign_pks = {each.pk for each in foreign}
        own = [each for each in known if each.pk not in foreign_pks]
        node = next((each for each in own if _same_labels(each, found.frames)), None)
        if own and node is None:
            remark = _joined([remark, f"read anew: node {own[-1].pk} holds other energies or elements of it"])
        state: State = "stored" if node is None else "known"
        if node is None:
            node = FramesData(
                found.frames,
                phase=phase or _phase_of(found.frames),
                labeller=str(found.details.get("program", source.kind)),
                functional=functional_of(found.details.get("incar", {}), found.details.get("potcars", [])),
                converged=found.converged,
                label=source.path.name if source.path.is_file() else source.kind,
            )
            facts = {**self._facts, "sha256": checksum, "source": source.kind, "place": place, "remark": remark}
            details = {f"labels_{name}": value for name, value in found.details.items()}
            node.base.attributes.set_many({**facts, **details})
            node.store()
        elif phase not in (None, node.phase):
            remark = _joined([remark, f"stored before as {node.phase}, and stays so"])
        screened, report = _screen(node, self._settings)
        self._read.add(found.frames if state == "stored" else node.frames)
        self._dropped.append({each["index"]: each["reason"] for each in report["dropped_frames"]})
        dropped = tuple(report["dropped"].items())
        number = node.base.attributes.get("number_of_frames")
        return Imported(source, state, number, node, screened, dropped, remark=remark)

    def _without_copies(self, found: Dataset, remark: str) -> tuple[Dataset, tuple[tuple[str, int], ...], str]:
        """Return a data set without the frames that other sources have, which of them are bad, and a remark."""
        assert found.frames is not None
        matches = self._read.match(found.frames)
        if matches.differences is None:
            return found, (), remark
        energy, force, virial = matches.differences
        partners = [partner for partner in matches.partners if partner is not None]
        words = f"{len(partners)} of {len(found.frames)} frames were read before, labels within "
        words += f"{energy:.1g} eV, {force:.1g} eV/A, {virial:.1g} eV"
        bad = Counter(self._dropped[part][index] for part, index in partners if index in self._dropped[part])
        dropped = ", ".join(f"{number} {reason}" for reason, number in bad.items())
        left = found.frames.take(matches.new) if matches.new else None
        words = _joined([remark, words, f"{dropped} among them" if dropped else ""])
        return replace(found, frames=left), tuple(bad.items()), words


def import_dataset(
    path: Path,
    symbol: str | None = None,
    phase: str | None = None,
    temperature_k: float | None = None,
    origin: str = "",
    licence: str = "",
    screening: ScreeningSettings | None = None,
) -> Iterator[Imported]:
    """Store the labelled frames of a file, or of all that a folder holds; yield what became of each source.

    A source is stored as it is, but for frames whose labels are no numbers, and is known by its checksum: it is never
    stored twice. `screen_frames` gives the frames that can be trained on. Of a data set that repeats frames of runs or
    other sets below ``path``, the labels are compared, and only the frames that those lack are stored.

    :param symbol: element; needed for data sets that do not name it, and checked against what the others say.
    :param phase: ``solid``, ``liquid`` or ``interface``. If not given, frames at or above the experimental melting
        temperature of the element are liquid.
    :param temperature_k: temperature in K of frames whose source does not say it.
    :param origin: where the files come from: text, DOI or URL.
    :param screening: what `screen_frames` drops.
    :raises ValueError: if there is nothing to import.
    """
    importer = DatasetImporter(origin, licence, screening)
    for source in find_sources(path):
        yield importer.take(source, symbol, phase, temperature_k, source.inside(path))


def import_potential(
    path: Path,
    pair_style: str | None = None,
    origin: str = "",
    licence: str = "",
    label: str = "",
    code: str = DEEPMD_CODE,
) -> PotentialData:
    """Return the stored potential of a file; the same content is never stored twice.

    A DeePMD model is opened by a job with ``code``, which this function waits for. The pair style is that of the
    suffix if none is given. `out.json` (or `input.json`) and `lcurve.out` in the folder of a model tell whether its
    training had ended.

    :raises ValueError: if the file is no such potential, or the job finds that it is none.
    :raises OSError: if the file cannot be read.
    :raises aiida.common.exceptions.NotExistent: if a job is needed and there is no such code.
    """
    known = PotentialData.find(path, pair_style)
    if known is not None:
        trust([known])  # an archive brought it, and now the user gives the very file
        return known
    if (pair_style or pair_style_of(path)) == DEEPMD:
        if path.suffix not in DEEPMD_SUFFIXES:
            raise ValueError(no_model(path.name))
        return _show(path, origin, licence, label, own_code(code))
    return PotentialData.get_or_create(path, pair_style, origin=origin, licence=licence, label=label)


def _training_files(path: Path) -> dict[str, Data]:
    """Return the inputs that tell of the training of a model: the files beside it that can be read.

    Of several settings those without a flaw are taken, else the first, so that its flaw is on record.
    """
    settings = {each: content for name in SETTINGS if (content := bytes_of(each := path.with_name(name))) is not None}
    files: dict[str, Data] = {}
    if settings:
        chosen = min(settings, key=lambda each: bool(settings_flaw(settings[each])))
        files["training_settings"] = SinglefileData(str(chosen.absolute()))
    curve = path.with_name(LEARNING_CURVE)
    if bytes_of(curve) is not None:
        files["learning_curve"] = SinglefileData(str(curve.absolute()))
    if files:
        files["models_beside"] = Int(sum(each.suffix in DEEPMD_SUFFIXES for each in path.absolute().parent.iterdir()))
    return files


def _show(path: Path, origin: str, licence: str, label: str, code: Code) -> PotentialData:
    model = SinglefileData(str(path.absolute()), label=label or path.name)
    outputs, job = run_here(
        DeepmdShowCalculation,
        code=code,
        model=model,
        origin=origin,
        licence=licence,
        metadata={"label": f"show_{path.name}"},
        **_training_files(path),
    )
    if not job.is_finished_ok:
        raise ValueError(f"job {job.pk} made no potential of '{path}': {job.exit_message}")
    potential: PotentialData = outputs["potential"]
    return potential


def _screen(node: FramesData, settings: Dict) -> tuple[FramesData | None, Dict]:
    """Return the frames that can be trained on and the report, from before if they have been screened like this."""
    earlier = node.base.links.get_outgoing(CalcFunctionNode, link_label_filter="frames").all_nodes()
    for process in earlier:
        if process.process_label == "screen_frames" and process.inputs.settings.get_dict() == settings.get_dict():
            return process.outputs.frames if "frames" in process.outputs else None, process.outputs.report
    outputs, _ = run_here(screen_frames, frames=node, settings=settings)
    return outputs.get("frames"), outputs["report"]


def _same_labels(node: FramesData, frames: LabelledFrames) -> bool:
    """Return whether stored frames are as they are read now: those of before may hold enthalpies, or half symbols."""
    stored, symbols = node.get_array("energies"), tuple(node.base.attributes.get("symbols"))
    return (
        symbols == frames.symbols
        and stored.shape == frames.energies_ev.shape
        and bool(np.allclose(stored, frames.energies_ev, rtol=0, atol=_SAME_ENERGY_EV))
    )


def _phase_of(frames: LabelledFrames) -> str:
    """Return the phase that frames at their temperature are taken for."""
    symbols = set(frames.symbols)
    known = elements().get(next(iter(symbols))) if len(symbols) == 1 else None
    if known is None:
        raise ValueError(f"frames of {', '.join(sorted(symbols))}, whose T_m is not in the table: name their phase")
    melting = known.melting_temperature
    return "liquid" if frames.temperatures_k.mean() >= melting else "solid"


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(filter(None, parts))


def _remark(found: Dataset) -> str:
    """Return in words what is to be known of a source."""
    parts = [found.flaw] if found.flaw else []
    parts += found.remarks
    if found.not_finite:
        parts.append(f"{found.not_finite} frames left out: a label is no number")
    return _joined(parts)
