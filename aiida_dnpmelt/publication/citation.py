"""Write the files that say how to cite a publication: `CITATION.cff` and `references.bib`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import yaml

from aiida_dnpmelt.report.citations import Reference

_ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
_AUTHOR = re.compile(r"\s*(?P<name>[^<>]*[^<>\s])\s*(<\s*(?:https?://orcid\.org/)?(?P<orcid>[^<>\s]*)\s*>)?\s*")
_KINDS = {"article": "article", "software": "software", "misc": "generic"}
_TYPES = {"article": "article", "software": "software", "misc": "misc"}
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "&%$#_"} | {"{": "(", "}": ")", "\\": "/"})
_VERBATIM = frozenset({"doi", "url"})


@dataclass(frozen=True)
class Author:
    """Somebody who publishes; ORCID is empty if it was not told."""

    name: str
    orcid: str = ""

    @property
    def parts(self) -> tuple[str, str]:
        """Return given names and family name: the last word, or what stands before a comma."""
        if "," in self.name:
            family, _, given = self.name.partition(",")
            return given.strip(), family.strip()
        given, _, family = self.name.rpartition(" ")
        return given.strip(), family


@dataclass(frozen=True)
class Description:
    """What is said of a publication as a whole.

    :param licence: name by SPDX.
    """

    title: str
    authors: tuple[Author, ...]
    licence: str
    made: date
    keywords: tuple[str, ...] = ()


def read_author(text: str) -> Author:
    """Return an author from ``Name`` or ``Name <ORCID>``.

    :raises ValueError: if the text is neither, or the check digit of the ORCID is wrong.
    """
    match = _AUTHOR.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is no author: it must be 'Given Family <0000-0002-1825-0097>' or a name alone")
    orcid = match["orcid"] or ""
    if orcid and not is_orcid(orcid):
        raise ValueError(f"'{orcid}' is no ORCID: that has four groups of four digits, the last one a check digit")
    return Author(match["name"], orcid)


def is_orcid(text: str) -> bool:
    """Return whether a text is an ORCID, by its form and its check digit (ISO 7064 MOD 11-2)."""
    if not _ORCID.fullmatch(text):
        return False
    total = 0
    for digit in text.replace("-", "")[:-1]:
        total = 2 * (total + int(digit))
    return "0123456789X"[(12 - total % 11) % 11] == text[-1]


def citation_cff(description: Description, references: Sequence[Reference]) -> str:
    """Return the text of `CITATION.cff`, version 1.2.0, for a data set."""
    authors = [_cff_author(author) for author in description.authors] or [{"name": "anonymous"}]
    content: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": "If you use these data, please cite them, and what they were made with.",
        "type": "dataset",
        "title": description.title,
        "authors": authors,
        "date-released": description.made.isoformat(),
        "license": description.licence,
        "keywords": list(description.keywords),
        "references": [_cff_reference(reference) for reference in references],
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _cff_author(author: Author) -> dict[str, str]:
    given, family = author.parts
    found = {"family-names": family, "given-names": given} if given else {"name": family}
    if author.orcid:
        # An entity has an ORCID as well as a person does.
        found["orcid"] = f"https://orcid.org/{author.orcid}"
    return found


def _cff_reference(reference: Reference) -> dict[str, Any]:
    content: dict[str, Any] = {"type": _KINDS[reference.kind], "title": reference.title}
    people = [_cff_person(name) for name in reference.authors if name != ("others",)]
    people += [{"name": "et al."}] if ("others",) in reference.authors else []
    content["authors"] = people or [{"name": "unknown"}]
    names = {
        "journal": "journal",
        "volume": "volume",
        "doi": "doi",
        "url": "url",
        "version": "version",
        "note": "notes",
    }
    content.update({names[key]: value for key, value in reference.fields.items() if key in names})
    if "year" in reference.fields:
        content["year"] = int(reference.fields["year"])
    first, _, last = reference.fields.get("pages", "").partition("-")
    return {**content, **({"start": first} if first else {}), **({"end": last} if last else {})}


def _cff_person(name: Sequence[str]) -> dict[str, str]:
    return {"family-names": name[0], "given-names": name[1]} if len(name) > 1 else {"name": name[0]}


def references_bib(references: Sequence[Reference]) -> str:
    """Return the references in BibTeX."""
    return "\n".join(_bib_entry(reference) for reference in references)


def _bib_entry(reference: Reference) -> str:
    names = [_bib_name(name) for name in reference.authors]
    fields: Mapping[str, str] = {
        "title": f"{{{_bib_text(reference.title)}}}",
        **({"author": " and ".join(names)} if names else {}),
        **{key: value if key in _VERBATIM else _bib_text(value) for key, value in reference.fields.items()},
    }
    lines = [f"  {key} = {{{value}}}," for key, value in fields.items()]
    return "\n".join([f"@{_TYPES[reference.kind]}{{{reference.key},", *lines, "}", ""])


def _bib_name(name: Sequence[str]) -> str:
    if len(name) > 1:
        return _bib_text(", ".join(name))
    return name[0] if name[0] == "others" else f"{{{_bib_text(name[0])}}}"


def _bib_text(text: str) -> str:
    """Return a text of anybody as BibTeX takes it."""
    return " ".join(text.split()).translate(_SPECIAL)
