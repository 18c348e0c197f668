from __future__ import annotations

from pathlib import Path

import yaml

from aiida_dnpmelt import __version__
from aiida_dnpmelt.report.citations import METHOD, SOFTWARE, citations


def test_software_and_method_are_those_of_the_citation_file():
    known = yaml.safe_load((Path(__file__).parents[2] / "CITATION.cff").read_text())
    assert known["title"] in SOFTWARE.replace(f" {__version__}", "")
    (paper,) = known["references"]
    parts = ("title", "journal", "doi", "volume", "year", "start", "end")
    assert all(str(paper[part]) in METHOD for part in parts)
    assert all(author["family-names"] in METHOD for author in paper["authors"])


def test_deepmd_is_cited_where_it_had_a_part():
    assert any("DeePMD-kit" in text for text in citations(True))
    assert not any("DeePMD-kit" in text for text in citations(False))
