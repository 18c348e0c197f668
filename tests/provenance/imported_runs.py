"""Runs of VASP as files, and what became of each source of an import."""

from __future__ import annotations

from pathlib import Path

from vasp_files import vasprun

from aiida_dnpmelt.physics.frames import LabelledFrames
from aiida_dnpmelt.provenance.importers import Imported, import_dataset


def write_run(folder: Path, frames: LabelledFrames, **changes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vasprun.xml").write_text(vasprun(frames, **changes))
    return folder / "vasprun.xml"


def by_name(folder: Path, *arguments, **options) -> dict[str, Imported]:
    return {each.source.inside(folder): each for each in import_dataset(folder, *arguments, **options)}
