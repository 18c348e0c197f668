"""Publications and programs to cite, and which of them had a part in what is published."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import version

from aiida import orm

from aiida_dnpmelt import __version__
from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import DEEPMD, PotentialData

_DOI = re.compile(r"\b10\.\d{4,9}/[^\s,;\"<>]+[^\s,;\"<>.)]")
_LAMMPS = "aiida.calculations:dnpmelt."
_LAMMPS_JOBS = frozenset(f"{_LAMMPS}{name}" for name in ("coexistence", "exploration", "label", "properties"))
_DEEPMD_JOBS = "aiida.calculations:dnpmelt.deepmd"
_PLUGINS = {
    "aiida-lammps": "https://github.com/aiidaplugins/aiida-lammps",
    "aiida-vasp": "https://github.com/aiida-vasp/aiida-vasp",
}
_VASP_JOBS = ("aiida.calculations:vasp.", "aiida.calculations:dnpmelt.vasp")


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


@dataclass(frozen=True)
class Programs:
    """Programs that had a part in what is published, with their versions where nodes name them.

    :param jobs: whether there are jobs of LAMMPS, which run through aiida-lammps.
    :param vasp_jobs: whether there are jobs of VASP, which run through aiida-vasp.
    """

    lammps: set[str]
    deepmd: set[str]
    jobs: bool
    deepmd_used: bool
    vasp_used: bool
    vasp_jobs: bool


def programs_of(pks: Iterable[int]) -> Programs:
    """Return which programs had a part in nodes."""
    wanted = set(pks)
    query = orm.QueryBuilder()
    query.append(orm.CalcJobNode, tag="job", project=["id", "process_type"])
    types = {kind or "" for pk, kind in query.all() if pk in wanted}
    query.append(
        orm.Dict,
        with_incoming="job",
        edge_filters={"label": "results"},
        project=["attributes.lammps_version", "attributes.deepmd_version"],
    )
    versions = [row[2:] for row in query.all() if row[0] in wanted]
    styles = orm.QueryBuilder().append(PotentialData, project=["id", "attributes.pair_style"]).all()
    frames = orm.QueryBuilder().append(FramesData, project=["id", "attributes.labeller", "attributes.source"]).all()
    vasp_jobs = any(kind.startswith(_VASP_JOBS) for kind in types)
    words = [str(word).lower() for pk, *told in frames if pk in wanted for word in told]
    return Programs(
        lammps={str(lammps) for lammps, _ in versions if lammps},
        deepmd={str(deepmd) for _, deepmd in versions if deepmd},
        jobs=bool(types & _LAMMPS_JOBS),
        deepmd_used=any(kind.startswith(_DEEPMD_JOBS) for kind in types)
        or any(pk in wanted and style == DEEPMD for pk, style in styles),
        vasp_used=vasp_jobs or any("vasp" in word or "outcar" in word for word in words),
        vasp_jobs=vasp_jobs,
    )


def references(pks: Iterable[int]) -> list[Reference]:
    """Return what to cite for nodes: this package, the method, the programs that were used, and origins of data."""
    pks = set(pks)
    used = programs_of(pks)
    found = [SOFTWARE, METHOD, *AIIDA]
    if used.jobs:
        found += [LAMMPS, _plugin("aiida-lammps")]
    if used.deepmd_used:
        found.append(DEEPMD_KIT)
    if used.vasp_used:
        found += VASP
    if used.vasp_jobs:
        found.append(_plugin("aiida-vasp"))
    return [*found, *_origins(pks)]


def _plugin(name: str) -> Reference:
    fields = {"version": version(name), "url": _PLUGINS[name]}
    return Reference(name.replace("-", "_"), "software", name, ((f"The {name} developers",),), fields)


def _origins(pks: set[int]) -> list[Reference]:
    """Return the origins that imported potentials and labelled frames name, each once."""
    texts: dict[str, set[str]] = {}
    for entity in (PotentialData, FramesData):
        query = orm.QueryBuilder()
        query.append(entity, project=["id", "label", "attributes.origin"])
        for pk, label, origin in query.all():
            if pk in pks and origin:
                texts.setdefault(str(origin), set()).add(label or entity.__name__)
    return [_origin(number, text, sorted(labels)) for number, (text, labels) in enumerate(sorted(texts.items()), 1)]


def _origin(number: int, text: str, labels: list[str]) -> Reference:
    """Return the reference of an origin, which is what somebody wrote: a DOI, an address, or words."""
    fields = {"note": f"origin of {', '.join(labels)}: {text}"}
    doi = _DOI.search(text)
    if doi:
        fields["doi"] = doi.group()
    elif text.startswith(("https://", "http://")):
        fields["url"] = text.split(maxsplit=1)[0].rstrip(",")
    return Reference(f"origin_{number:02d}", "misc", text, (), fields)
