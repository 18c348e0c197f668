"""Publications and programs to cite, and which of them had a part in what is published."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aiida import orm

from aiida_dnpmelt.data.frames import FramesData
from aiida_dnpmelt.data.potential import DEEPMD, PotentialData
from aiida_dnpmelt.provenance.ancestry import batches
from aiida_dnpmelt.report.citations import AIIDA, DEEPMD_KIT, LAMMPS, METHOD, SOFTWARE, VASP, Reference

_DOI = re.compile(r"\b10\.\d{4,9}/[^\s,;\"<>]+[^\s,;\"<>.)]")
_LAMMPS = "aiida.calculations:dnpmelt."
_LAMMPS_JOBS = frozenset(f"{_LAMMPS}{name}" for name in ("coexistence", "exploration", "label", "properties"))
_PLUGIN_VERSION = "attributes.version.plugin"
_DEEPMD_JOBS = "aiida.calculations:dnpmelt.deepmd"
_PLUGINS = {
    "aiida-lammps": "https://github.com/aiidaplugins/aiida-lammps",
    "aiida-vasp": "https://github.com/aiida-vasp/aiida-vasp",
}
_VASP_JOBS = ("aiida.calculations:vasp.", "aiida.calculations:dnpmelt.vasp")
_JOBS_OF = {"aiida-lammps": ("aiida.calculations:lammps.",), "aiida-vasp": _VASP_JOBS}
"""Beginnings of the types of the jobs that run through a plugin; those of LAMMPS of this package run through none."""


@dataclass(frozen=True)
class Programs:
    """Programs that had a part in what is published, with their versions where nodes name them.

    :param plugins: plugins of AiiDA that jobs ran through, with their versions as the jobs name them.
    """

    lammps: set[str]
    deepmd: set[str]
    lammps_used: bool
    deepmd_used: bool
    vasp_used: bool
    plugins: dict[str, set[str]]


def programs_of(pks: Iterable[int]) -> Programs:
    """Return which programs had a part in nodes."""
    pks = set(pks)
    jobs = [(kind or "", plugin) for kind, plugin in _of(orm.CalcJobNode, pks, "process_type", _PLUGIN_VERSION)]
    types, plugins = {kind for kind, _ in jobs}, _plugins_of(jobs)
    styles = {style for (style,) in _of(PotentialData, pks, "attributes.pair_style")}
    frames = _of(FramesData, pks, "attributes.labeller", "attributes.source")
    versions = list(_versions(pks))
    words = [str(word).lower() for told in frames for word in told]
    return Programs(
        lammps={str(lammps) for lammps, _ in versions if lammps},
        deepmd={str(deepmd) for _, deepmd in versions if deepmd},
        lammps_used=bool(types & _LAMMPS_JOBS) or "aiida-lammps" in plugins,
        deepmd_used=DEEPMD in styles or any(kind.startswith(_DEEPMD_JOBS) for kind in types),
        vasp_used="aiida-vasp" in plugins or any("vasp" in word or "outcar" in word for word in words),
        plugins=plugins,
    )


def _plugins_of(jobs: Iterable[tuple[str, str | None]]) -> dict[str, set[str]]:
    """Return the plugins that jobs ran through, with their versions, from the types and versions of the jobs."""
    found: dict[str, set[str]] = {}
    for kind, told in jobs:
        for name, beginnings in _JOBS_OF.items():
            if kind.startswith(beginnings):
                found.setdefault(name, set()).update([told] if told and not kind.startswith(_LAMMPS) else [])
    return found


def _of(entity: type[orm.Node], pks: set[int], *columns: str) -> Iterator[list[Any]]:
    """Yield columns of those nodes that are of a class."""
    for batch in batches(pks):
        query = orm.QueryBuilder().append(entity, filters={"id": {"in": batch}}, project=list(columns))
        yield from query.all()


def _versions(pks: set[int]) -> Iterator[list[Any]]:
    """Yield the versions of LAMMPS and DeePMD-kit that the results of jobs tell."""
    for batch in batches(pks):
        query = orm.QueryBuilder().append(orm.CalcJobNode, filters={"id": {"in": batch}}, tag="job")
        query.append(
            orm.Dict,
            with_incoming="job",
            edge_filters={"label": "results"},
            project=["attributes.lammps_version", "attributes.deepmd_version"],
        )
        yield from query.all()


def references(pks: Iterable[int]) -> list[Reference]:
    """Return what to cite for nodes: this package, the method, the programs that were used, and origins of data."""
    pks = set(pks)
    used = programs_of(pks)
    found = [SOFTWARE, METHOD, *AIIDA]
    if used.lammps_used:
        found.append(LAMMPS)
    if used.deepmd_used:
        found.append(DEEPMD_KIT)
    if used.vasp_used:
        found += VASP
    found += [_plugin(name, versions) for name, versions in sorted(used.plugins.items())]
    return [*found, *_origins(pks)]


def _plugin(name: str, versions: Collection[str]) -> Reference:
    fields = {**({"version": ", ".join(sorted(versions))} if versions else {}), "url": _PLUGINS[name]}
    return Reference(name.replace("-", "_"), "software", name, ((f"The {name} developers",),), fields)


def _origins(pks: set[int]) -> list[Reference]:
    """Return the origins that imported potentials and labelled frames name, each once."""
    texts: dict[str, set[str]] = {}
    for entity in (PotentialData, FramesData):
        for label, origin in _of(entity, pks, "label", "attributes.origin"):
            if origin:
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
