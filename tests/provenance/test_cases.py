"""Small inputs with symptoms that people describe in public, and the right answers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from aiida.orm import Group

from aiida_dnpmelt.calculations.label_consistency import mixed_labels
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.provenance.importers import Imported, import_dataset
from aiida_dnpmelt.provenance.repository import RepositoryImport

CASES = Path(os.environ.get("DNPMELT_SHARED_DATA", "")).parent / "cases"
pytestmark = [
    pytest.mark.usefixtures("aiida_profile"),
    pytest.mark.skipif(not (CASES / "README.md").is_file(), reason="the cases are not beside DNPMELT_SHARED_DATA"),
]


def take(name: str, **options) -> Imported:
    (found,) = import_dataset(CASES / name, **{"temperature_k": 300.0, **options})
    return found


def energies(found: Imported) -> list[float]:
    return found.node.frames.energies_per_atom_ev.tolist()


def test_enthalpies():
    found = take("01_pstress")
    assert energies(found) == pytest.approx([-3.7453, -3.7534, -3.7549], abs=1e-4)
    assert found.remark == "P V of PSTRESS = 100 kB taken off the energies"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("02_isif0", "no stress, which training on pressures needs"),
        ("02b_isif0_static", "no stress, which training on pressures needs"),
        ("03_isif1", "no stress, which training on pressures needs: with ISIF = 1 VASP computes the trace alone"),
        ("25_outcar_novir", "no stress in 1 of 3 steps, which training on pressures needs"),
    ],
)
def test_stress_that_is_not_there(name, words):
    found = take(name)
    assert (found.state, found.remark) == ("refused", words)


def test_half_a_symbol():
    found = take("04_zr_r")
    assert set(found.node.frames.symbols) == {"Zr"}
    assert "'r' are Zr by the title" in found.remark


def test_force_field_in_between():
    found = take("05_mlff_ramp")
    assert found.node.get_array("temperatures").round().tolist() == [300.0, 542.0, 906.0, 1488.0]
    assert found.remark == "96 of 100 steps are of a force field and left out"


@pytest.mark.parametrize("name", ["08_ampersand", "10_gz"])
def test_text_and_compression(name):
    found = take(name)
    assert (found.number, found.remark) == (3, "")
    (alone,) = import_dataset(next((CASES / name).iterdir()))
    assert alone.state == "known"


def test_outcar_that_was_cut():
    found = take("22_outcar_cut")
    assert (found.number, found.remark) == (3, "a fourth step is cut")


def test_empty_file_beside_an_outcar():
    found = take("24_empty_xml")
    assert (found.source.kind, found.number) == ("OUTCAR", 3)
    assert found.remark == "read instead of the vasprun.xml beside it, which is empty"


def test_high_pressure():
    found = take("42_high_pressure")
    assert (len(found.screened.frames), found.dropped) == (3, ())


def test_functionals_are_told_apart_and_not_learned_as_one(tmp_path):
    shutil.copytree(CASES / "27_functionals", tmp_path / "mixed")
    importer = RepositoryImport(tmp_path / "mixed")
    assert {each.state for each in importer} == {"stored"}
    nodes = [node for node in Group.collection.get(label="mixed/Al").nodes if isinstance(node, FramesData)]
    names = {"PBE", "PBE+U(Al d 4)", "PBE+D3(BJ)", "SCAN", "SCAN+rVV10"}
    assert {node.functional for node in nodes} == names
    (finding,) = [each for each in importer.findings() if each.rule == "settings"]
    assert all(name in finding.words for name in (*names, "PSTRESS"))
    assert "different functionals" in mixed_labels({str(node.pk): node for node in nodes})
