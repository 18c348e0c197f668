from __future__ import annotations

from datetime import date

import pytest
import yaml

from aiida_dnpmelt.publication.citation import (
    Author,
    Description,
    citation_cff,
    is_orcid,
    read_author,
    references_bib,
)
from aiida_dnpmelt.report.citations import METHOD, SOFTWARE, Reference

HOSTILE = Reference(
    "origin_01", "misc", "50 % of {data} & $x_1\\input{/etc/passwd}", (), {"note": "a\nb", "url": "u_v"}
)


def described(*authors: Author) -> Description:
    return Description("A title: with a colon", authors, "CC-BY-4.0", date(2026, 11, 26), ("melting",))


@pytest.mark.parametrize(
    ("text", "name", "orcid", "parts"),
    [
        ("Ada Lovelace", "Ada Lovelace", "", ("Ada", "Lovelace")),
        (" J. S. Carberry <0000-0002-1825-0097> ", "J. S. Carberry", "0000-0002-1825-0097", ("J. S.", "Carberry")),
        ("A B <https://orcid.org/0000-0002-1694-233X>", "A B", "0000-0002-1694-233X", ("A", "B")),
        ("van der Waals, Johannes", "van der Waals, Johannes", "", ("Johannes", "van der Waals")),
        ("Plato", "Plato", "", ("", "Plato")),
    ],
)
def test_authors_are_read(text, name, orcid, parts):
    author = read_author(text)
    assert (author.name, author.orcid, author.parts) == (name, orcid, parts)


@pytest.mark.parametrize(
    "text", ["", "<0000-0002-1825-0097>", "A <0000-0002-1825-0098>", "A <1234>", "A <b> <c>", "A <"]
)
def test_what_is_no_author_is_refused(text):
    with pytest.raises(ValueError, match=r"is no (author|ORCID)"):
        read_author(text)


def test_orcids_have_a_check_digit():
    assert is_orcid("0000-0002-1825-0097")
    assert is_orcid("0000-0002-1694-233X")
    assert not is_orcid("0000-0002-1825-0079")
    assert not is_orcid("0000000218250097")


def test_citation_file_has_what_is_to_be_cited():
    content = yaml.safe_load(citation_cff(described(Author("Ada Lovelace", "0000-0002-1825-0097")), [SOFTWARE, METHOD]))
    assert content["authors"] == [
        {"family-names": "Lovelace", "given-names": "Ada", "orcid": "https://orcid.org/0000-0002-1825-0097"}
    ]
    assert (content["cff-version"], content["type"], content["license"]) == ("1.2.0", "dataset", "CC-BY-4.0")
    assert content["date-released"] == "2026-11-26"
    software, paper = content["references"]
    assert (software["type"], paper["doi"], paper["year"], paper["start"]) == (
        "software",
        "10.1039/D4DD00069B",
        2024,
        "1421",
    )


def test_nobody_is_the_author_of_an_anonymous_one():
    assert yaml.safe_load(citation_cff(described(), []))["authors"] == [{"name": "anonymous"}]


def test_bibtex_takes_the_texts_of_others():
    paper, hostile = references_bib([METHOD, HOSTILE]).split("\n\n")
    assert paper.startswith("@article{andolina2024,\n")
    assert "author = {Andolina, Christopher M. and Saidi, Wissam A.}," in paper
    assert r"title = {{50 \% of (data) \& \$x\_1/input(/etc/passwd)}}," in hostile
    assert "note = {a b}," in hostile
    assert "url = {u_v}," in hostile
