"""A profile as a reader of the documentation has it: potentials, codes, and one melting temperature."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk
from physics.labelled import labelled
from physics.synthetic_frames import copper_frames
from vasp_files import vasprun

from aiida_dnpmelt.data.frames import FramesData

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), DOCS.parent / "README.md"]

sys.path.insert(0, str(DOCS / "_ext"))

OVERRIDES = {
    "plan": {
        "initial_runs": 1,
        "runs": 1,
        "minimum_runs": 1,
        "first_time_ps": 6.0,
        "production_time_ps": 6.0,
        "maximum_time_ps": 6.0,
        "target_uncertainty_k": 100.0,
    }
}
"""One run of the least length that an estimate takes: some 15 s."""


def rows(page: Path) -> list[list[str]]:
    """Return the cells of all tables of a page."""
    lines = [line for line in page.read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@dataclass(frozen=True)
class Reader:
    """Where a reader works, the work chain that has a melting temperature, and labelled frames."""

    folder: Path
    chain: orm.WorkChainNode
    frames: FramesData


@pytest.fixture(scope="module")
def reader(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory, potentials_folder: Path) -> Reader:
    """Give a folder with the files that the pages name, and a profile with what they take for granted."""
    from aiida_dnpmelt.data.potential import PotentialData
    from aiida_dnpmelt.setup.codes import ensure_code, ensure_computer
    from aiida_dnpmelt.setup.engines import find_engines
    from aiida_dnpmelt.workchains.tpc import TPCWorkChain

    folder = tmp_path_factory.mktemp("reader")
    shutil.copy(potentials_folder / "Cu_mishin1.eam.alloy", folder)
    shutil.copy(DOCS.parent / "examples" / "campaign.yaml", folder)
    (folder / "my_model.pb").write_bytes(b"only its name is looked at")
    (folder / "runs").mkdir()
    (folder / "runs" / "vasprun.xml").write_text(vasprun(copper_frames(2)))
    clone = folder / "20-DNPs-Tm" / "Training Datasets" / "Cu_TM1" / "1357.77"
    clone.mkdir(parents=True)
    (clone / "vasprun.xml").write_text(vasprun(copper_frames(2, seed=9, rattle=0.05)))
    (folder / "copper.yaml").write_text("c11_gpa: {value: 176.2, source: Overton and Gaffney 1955}")
    (folder / "results.aiida").write_bytes(b"only its name is looked at")
    (folder / "Al-0.pb").write_bytes(b"only its name is looked at")
    (folder / "literature.csv").write_text("pressure_gpa,temperature_k,source\n0,1358,a handbook\n")
    bulk("Zr", "bcc", a=3.6, cubic=True).write(folder / "bcc_zr.cif")
    bulk("Cu", cubic=True).write(folder / "conf.data", format="lammps-data")
    computer, _ = ensure_computer(folder / "scratch")
    codes = {engine.label: ensure_code(engine, computer)[0] for engine in find_engines()}
    copper = PotentialData.get_or_create(folder / "Cu_mishin1.eam.alloy")
    copper.label = "cu-mishin"
    PotentialData.get_or_create(potentials_folder / "Zr_mm.eam.fs").label = "zr-mm"
    builder = TPCWorkChain.get_builder_from_protocol(
        codes["lmp"], orm.StructureData(ase=bulk("Cu")), copper, "fast", OVERRIDES
    )
    builder.temperature = orm.Float(1327.0)
    builder.seeds = orm.List([1])
    _, chain = run_get_node(builder)
    frames = FramesData(labelled(2), phase="solid", labeller="a teacher").store()
    return Reader(folder, chain, frames)
