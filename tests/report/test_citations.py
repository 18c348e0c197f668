from __future__ import annotations

import re
from pathlib import Path

import yaml

from aiida_dnpmelt.report.citations import citations


def test_software_and_method_are_those_of_the_citation_file():
    known = yaml.safe_load((Path(__file__).parents[2] / "CITATION.cff").read_text())
    software, method, *_ = citations(True)
    assert known["title"] in re.sub(r" [\d.]+:", ":", software)
    (paper,) = known["references"]
    parts = ("title", "journal", "doi", "volume", "year", "start", "end")
    assert all(str(paper[part]) in method for part in parts)
    assert all(author["family-names"] in method for author in paper["authors"])


def test_deepmd_is_cited_where_it_had_a_part():
    assert any("DeePMD-kit" in text for text in citations(True))
    assert not any("DeePMD-kit" in text for text in citations(False))


def test_other_programs_are_cited_where_they_had_a_part():
    assert any("LAMMPS" in text for text in citations(False))
    assert not any(text.startswith("LAMMPS") for text in citations(True, with_lammps=False))
    assert any(text.startswith("VASP: ") for text in citations(True, with_vasp=True))
    assert not any(text.startswith("VASP") for text in citations(True))
