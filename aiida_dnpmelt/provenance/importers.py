"""Take what others made into the provenance graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from aiida.engine import run_get_node
from aiida.orm import CalcFunctionNode, Code, Data, Dict, Int, QueryBuilder, SinglefileData, load_code

from aiida_dnpmelt.calculations.deepmd_show import DeepmdShowCalculation
from aiida_dnpmelt.calculations.screening import screen_frames
from aiida_dnpmelt.data.elements import element
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import DEEPMD, DEEPMD_SUFFIXES, PotentialData, pair_style_of
from aiida_dnpmelt.physics.frames import LabelledFrames
from aiida_dnpmelt.physics.matching import match
from aiida_dnpmelt.physics.screening import ScreeningSettings

from .datasets import Dataset, Source, find_sources, read_dataset

DEEPMD_CODE = "dp@localhost"
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
    :param remark: what is to be known of the source, in words.
    """

    source: Source
    state: State
    number: int = 0
    node: FramesData | None = None
    screened: FramesData | None = None
    dropped: tuple[tuple[str, int], ...] = ()
    remark: str = ""


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
    settings = Dict((screening or ScreeningSettings()).model_dump())
    read: list[LabelledFrames] = []
    for source in find_sources(path):
        try:
            found = read_dataset(source, symbol, temperature_k)
            if found.frames is None:
                yield Imported(source, "empty", remark=found.flaw or "no frame")
                continue
            remark, number = _remark(found), len(found.frames)
            if source.path.is_dir():
                found, remark = _without_copies(found, read)
            if found.frames is None:
                yield Imported(source, "copy", number, remark=remark)
                continue
            read.append(found.frames)
            yield _store(source, found, phase, origin, licence, settings, remark)
        except (OSError, ValueError) as error:
            yield Imported(source, "refused", remark=str(error))


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
    if (pair_style or pair_style_of(path)) == DEEPMD:
        return PotentialData.find(path, DEEPMD) or _show(path, origin, licence, label, load_code(code))
    return PotentialData.get_or_create(path, pair_style, origin=origin, licence=licence, label=label)


def _training_files(path: Path) -> dict[str, Data]:
    """Return the inputs that tell of the training of a model: the files beside it."""
    wanted = {"training_settings": ("out.json", "input.json"), "learning_curve": ("lcurve.out",)}
    files: dict[str, Data] = {}
    for name, candidates in wanted.items():
        found = [path.with_name(candidate) for candidate in candidates if path.with_name(candidate).is_file()]
        if found:
            files[name] = SinglefileData(str(found[0].absolute()))
    if files:
        files["models_beside"] = Int(sum(each.suffix in DEEPMD_SUFFIXES for each in path.absolute().parent.iterdir()))
    return files


def _show(path: Path, origin: str, licence: str, label: str, code: Code) -> PotentialData:
    model = SinglefileData(str(path.absolute()), label=label or path.name)
    outputs, job = run_get_node(
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


def _store(
    source: Source, found: Dataset, phase: str | None, origin: str, licence: str, settings: Dict, remark: str
) -> Imported:
    """Store the frames of a source, if they are not stored yet, and screen them."""
    assert found.frames is not None
    checksum = source.sha256
    query = QueryBuilder().append(FramesData, filters={"attributes.sha256": checksum})
    node = query.first(flat=True)
    state: State = "stored" if node is None else "known"
    if node is None:
        node = FramesData(
            found.frames,
            phase=phase or _phase_of(found.frames),
            labeller=str(found.details.get("program", source.kind)),
            converged=found.converged,
            label=source.path.name if source.path.is_file() else source.kind,
        )
        facts = {"sha256": checksum, "source": source.kind, "origin": origin, "licence": licence, "remark": remark}
        node.base.attributes.set_many({**facts, **{f"labels_{name}": value for name, value in found.details.items()}})
        node.store()
    elif phase not in (None, node.phase):
        remark = "; ".join(filter(None, [remark, f"stored before as {node.phase}, and stays so"]))
    number = node.base.attributes.get("number_of_frames")
    screened, report = _screen(node, settings)
    return Imported(source, state, number, node, screened, tuple(report["dropped"].items()), remark)


def _screen(node: FramesData, settings: Dict) -> tuple[FramesData | None, Dict]:
    """Return the frames that can be trained on and the report, from before if they have been screened like this."""
    earlier = node.base.links.get_outgoing(CalcFunctionNode, link_label_filter="frames").all_nodes()
    for process in earlier:
        if process.process_label == "screen_frames" and process.inputs.settings.get_dict() == settings.get_dict():
            return process.outputs.frames if "frames" in process.outputs else None, process.outputs.report
    outputs = screen_frames(node, settings)
    return outputs.get("frames"), outputs["report"]


def _phase_of(frames: LabelledFrames) -> str:
    """Return the phase that frames at their temperature are taken for."""
    symbols = set(frames.symbols)
    if len(symbols) > 1:
        raise ValueError(f"frames of {', '.join(sorted(symbols))}: name their phase")
    melting = element(frames.symbols[0]).melting_temperature
    return "liquid" if frames.temperatures_k.mean() >= melting else "solid"


def _without_copies(found: Dataset, others: list[LabelledFrames]) -> tuple[Dataset, str]:
    """Return a data set without the frames that other sources have, and what the comparison gave."""
    assert found.frames is not None
    matches = match(found.frames, others)
    if matches.differences is None:
        return found, _remark(found)
    energy, force, virial = matches.differences
    words = f"{matches.known.sum()} of {len(found.frames)} frames were read before, labels within "
    words += f"{energy:.1g} eV, {force:.1g} eV/A, {virial:.1g} eV"
    new = [index for index, known in enumerate(matches.known) if not known]
    return replace(found, frames=found.frames.take(new) if new else None), words


def _remark(found: Dataset) -> str:
    """Return in words what is to be known of a source."""
    parts = [found.flaw] if found.flaw else []
    if found.not_finite:
        parts.append(f"{found.not_finite} frames left out: a label is no number")
    return "; ".join(parts)
