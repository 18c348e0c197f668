"""What to cite for a result of this package: the one list of publications and programs, and their entries as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from aiida_dnpmelt import __version__


@dataclass(frozen=True)
class Reference:
    """What is to be cited.

    :param key: of its entry in BibTeX.
    :param kind: ``article``, ``software`` or ``misc``.
    :param authors: family name and given names of each, or one name alone.
    :param fields: further fields of BibTeX: ``journal``, ``volume``, ``pages``, ``year``, ``doi``, ``url``,
        ``version``, ``note``.
    """

    key: str
    kind: str
    title: str
    authors: tuple[tuple[str, ...], ...] = ()
    fields: dict[str, str] = field(default_factory=dict)


def _article(key: str, title: str, authors: str, **fields: str) -> Reference:
    """Return an article; authors are ``Family, Given; Family, Given``, and ``others`` stands for more."""
    names = tuple(tuple(part.strip() for part in name.split(",")) for name in authors.split(";"))
    return Reference(key, "article", title, names, fields)


METHOD = _article(
    "andolina2024",
    "Predicting melting temperatures across the periodic table with machine learning atomistic potentials",
    "Andolina, Christopher M.; Saidi, Wissam A.",
    journal="Digital Discovery",
    volume="3",
    pages="1421-1429",
    year="2024",
    doi="10.1039/D4DD00069B",
)
AIIDA = (
    _article(
        "huber2020",
        "AiiDA 1.0, a scalable computational infrastructure for automated reproducible workflows and data provenance",
        "Huber, Sebastiaan P.; others",
        journal="Scientific Data",
        volume="7",
        pages="300",
        year="2020",
        doi="10.1038/s41597-020-00638-4",
    ),
    _article(
        "uhrin2021",
        "Workflows in AiiDA: Engineering a high-throughput, event-based engine for robust and modular computational "
        "workflows",
        "Uhrin, Martin; others",
        journal="Computational Materials Science",
        volume="187",
        pages="110086",
        year="2021",
        doi="10.1016/j.commatsci.2020.110086",
    ),
)
LAMMPS = _article(
    "thompson2022",
    "LAMMPS - a flexible simulation tool for particle-based materials modeling at the atomic, meso, and continuum "
    "scales",
    "Thompson, Aidan P.; others",
    journal="Computer Physics Communications",
    volume="271",
    pages="108171",
    year="2022",
    doi="10.1016/j.cpc.2021.108171",
)
DEEPMD_KIT = _article(
    "zeng2025",
    "DeePMD-kit v3: A Multiple-Backend Framework for Machine Learning Potentials",
    "Zeng, Jinzhe; others",
    journal="Journal of Chemical Theory and Computation",
    volume="21",
    pages="4375-4385",
    year="2025",
    doi="10.1021/acs.jctc.5c00340",
)
VASP = (
    _article(
        "kresse1996",
        "Efficient iterative schemes for ab initio total-energy calculations using a plane-wave basis set",
        "Kresse, Georg; Furthmüller, Jürgen",
        journal="Physical Review B",
        volume="54",
        pages="11169-11186",
        year="1996",
        doi="10.1103/PhysRevB.54.11169",
    ),
    _article(
        "kresse1999",
        "From ultrasoft pseudopotentials to the projector augmented-wave method",
        "Kresse, Georg; Joubert, Daniel",
        journal="Physical Review B",
        volume="59",
        pages="1758-1775",
        year="1999",
        doi="10.1103/PhysRevB.59.1758",
    ),
)
SOFTWARE = Reference(
    "aiida_dnpmelt",
    "software",
    "aiida-dnpmelt: melting temperatures with machine-learned potentials, and the provenance of every step",
    (("The aiida-dnpmelt developers",),),
    {"version": __version__},
)


def citations(with_deepmd: bool, with_lammps: bool = True, with_vasp: bool = False) -> list[str]:
    """Return what to cite as text, programs only where they had a part."""
    texts: dict[str, Sequence[Reference]] = {
        "The method": [METHOD],
        "DeePMD-kit": [DEEPMD_KIT] if with_deepmd else [],
        "LAMMPS": [LAMMPS] if with_lammps else [],
        "VASP": VASP if with_vasp else [],
        "AiiDA": AIIDA,
    }
    own = f"aiida-dnpmelt {__version__}{SOFTWARE.title.removeprefix('aiida-dnpmelt')}. The aiida-dnpmelt developers."
    return [own, *(f"{name}: {'; '.join(map(as_text, found))}." for name, found in texts.items() if found)]


def as_text(article: Reference) -> str:
    """Return an article in a line, without a full stop."""
    names = " and ".join("others" if name == ("others",) else _name(name) for name in article.authors)
    told = article.fields
    place = f"{told['journal']} {told['volume']}, {told['pages']} ({told['year']}), doi:{told['doi']}"
    return f"{names.replace(' and others', ' et al.')}, {article.title}, {place}"


def _name(parts: tuple[str, ...]) -> str:
    """Return a name with initials: ``C. M. Andolina``."""
    family, *given = parts
    initials = [f"{name[0]}." for name in " ".join(given).split()]
    return " ".join([*initials, family])
