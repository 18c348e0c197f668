"""The file that says what a publication holds, and how to open it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from aiida_dnpmelt import __version__
from aiida_dnpmelt.provenance.query import MeltingPoint
from aiida_dnpmelt.publication.citation import Description


def readme(
    description: Description,
    archive: str,
    files: Mapping[str, str],
    points: Sequence[MeltingPoint],
    remarks: Sequence[str],
) -> str:
    """Return the text of README.md.

    :param archive: name of the archive.
    :param files: what is in each file, in words.
    :param remarks: sentences on what is not in it.
    """
    authors = ", ".join(author.name for author in description.authors) or "anonymous"
    parts = [
        f"# {_cell(description.title)}",
        f"{_cell(authors)}, {description.made.year}. Licence: {description.licence}. Made by aiida-dnpmelt "
        f"{__version__} on {description.made.isoformat()}.",
        _table(["element", "lattice", "P/GPa", "T_m/K", "verdict", "potential", "protocol"], map(_point, points)),
        "Numbers in brackets are standard uncertainties in units of the last digits. Superseded is a "
        "result of which its authors have a later one. All values of each are in `melting_points.csv`.",
        "## Files",
        _table(["file", "what it is"], [(f"`{name}`", text) for name, text in files.items()]),
        *(["## What to know of it", *remarks] if remarks else []),
        "## How to open it",
        _HOW.format(archive=archive),
    ]
    return "\n\n".join(parts) + "\n"


_HOW = """\
Look whether it arrived whole:

```console
$ sha256sum -c SHA256SUMS
```

Read the archive without importing it, with aiida-dnpmelt or with AiiDA alone:

```console
$ aiida-dnpmelt open {archive}
$ verdi profile setup core.sqlite_zip --profile-name published --filepath {archive} --non-interactive
$ verdi -p published process list -a
```

Import it into a profile of your own:

```console
$ verdi archive import {archive}
$ aiida-dnpmelt tm list
```

How to cite it is said in `CITATION.cff`, and what it was made with in `references.bib`."""


def _point(point: MeltingPoint) -> tuple[str, ...]:
    return (
        point.element,
        point.lattice,
        f"{point.pressure_gpa:g}",
        point.notation,
        f"{point.verdict}, superseded" if point.superseded else point.verdict,
        point.potential,
        point.protocol,
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Return a text of anybody as a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
