"""Does what somebody published hang together? Rules on the names, settings and temperatures of training data.

Knows nothing of AiiDA. The multiples of T_m are those of Andolina and Saidi, Digital Discovery 3, 1421 (2024), and of
the data sets that theirs grew from.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from ase.data import atomic_numbers

from aiida_dnpmelt.data.elements import elements
from aiida_dnpmelt.physics.functional import functional_of

MULTIPLES = (0.25, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4)
"""Multiples of the experimental T_m at which frames are labelled."""
SETTINGS = (
    *("ENCUT", "PREC", "EDIFF", "ISMEAR", "SIGMA", "KSPACING", "ISPIN", "GGA", "METAGGA", "IVDW", "PSTRESS"),
    *("LHFCALC", "AEXX", "HFSCREEN", "LUSE_VDW", "BPARAM", "LDAU", "LDAUTYPE", "LDAUL", "LDAUU", "LDAUJ"),
)
"""Settings of VASP on which the energies, or what was computed, depend."""
FUNCTIONAL, POTCARS, KPOINTS = "functional", "POTCAR", "k-points"

_SWITCHES = {"LHFCALC": ("AEXX", "HFSCREEN"), "LUSE_VDW": ("BPARAM",), "LDAU": ("LDAUTYPE", "LDAUL", "LDAUU", "LDAUJ")}
"""Tags that put on others, which mean nothing without them."""
_UNSET = ("", "-", "--", "NONE", "F", "FALSE")
_USUAL = {"ISPIN": "1", "PSTRESS": "0", "IVDW": "0"}
_PRECISIONS = {word[0]: word for word in ("ACCURATE", "NORMAL", "HIGH", "MEDIUM", "LOW", "SINGLE")}

_OWN, _OTHER = 0.005, 0.001
"""Relative distance up to which a temperature is a multiple of T_m: handbooks differ by some tenths of a percent.
Another element has to fit better, since there are many."""
_NEAR = 0.1
"""Relative distance up to which another T_m can be meant for the same element."""
_STRUCTURE = re.compile(r"(?:\d+_)?(mp-\d+)(?:_.*)?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_TEMPERATURE = re.compile(r"T?([1-9]\d*(?:\.\d+)?)K?")
_PHASES = {
    "interface": re.compile(r"TPC|.*interface.*", re.IGNORECASE),
    "solid": re.compile(r"(elastic|vacanc|interstitial).*", re.IGNORECASE),
}


class Finding(NamedTuple):
    """Something that does not fit.

    :param place: where, within what was looked at.
    :param rule: `element`, `temperature`, `training`, `missing`, `settings`, `labels` or `file`.
    """

    place: str
    element: str
    rule: str
    words: str


def element_of(place: PurePosixPath) -> str | None:
    """Return the element that the innermost name in a path begins with, as `Al` of `Al_TPC.tar.gz` or of `Al-0.pb`."""
    for name in reversed(place.parts):
        token = re.split(r"[_\-. ]", name)[0]
        if atomic_numbers.get(token):
            return token
    return None


def temperature_of(place: PurePosixPath, symbol: str | None) -> float | None:
    """Return the temperature in K that the outermost folder of a number stands for, None if there is none.

    Folders of frames are numbered, too: what is not between 0.2 and 2 times the T_m of the element is no temperature,
    and nothing with zeros before it is, such as ``000100`` of a task.
    """
    melting = _melting(symbol)
    for name in place.parts:
        found = _TEMPERATURE.fullmatch(name)
        if found and melting is not None and 0.2 <= float(found[1]) / melting <= 2:
            return float(found[1])
    return None


def phase_of(place: PurePosixPath) -> str | None:
    """Return the phase that the name of a folder stands for, None if none does."""
    for name in reversed(place.parts[:-1]):
        for phase, pattern in _PHASES.items():
            if pattern.fullmatch(name):
                return phase
    return None


def odd_temperatures(symbol: str, temperatures: Iterable[float], others: Collection[str]) -> str:
    """Return in words which temperatures are no multiples of the T_m of an element, and whose they may be.

    :param temperatures: in K.
    :param others: elements that the data are of beside this one.
    :return: empty if all fit, or the T_m of the element is not known.
    """
    melting = _melting(symbol)
    odd = sorted({each for each in temperatures if melting is not None and not _fits(each, melting, _OWN)})
    if melting is None or not odd:
        return ""
    named = ", ".join(f"{each:g}" for each in odd)
    words = f"{named} K: not {_listed()} times {melting:g} K, the T_m of {symbol}"
    explained = _explained(odd, melting, set(others) - {symbol})
    return f"{words}; {explained}" if explained else words


def training_findings(place: str, symbol: str, record: Mapping[str, Any], models: int) -> list[Finding]:
    """Return what is wrong with the training that a folder tells of.

    :param record: see `training_record`.
    :param models: number of models in the folder.
    """
    found = []
    if record["ended"] is False:
        words = f"the training ended at step {record['last_step']} of {record['planned_steps']}"
        rate, planned = record["last_learning_rate"], record["planned_learning_rate"]
        if rate is not None and planned is not None:
            words += f", at a learning rate of {rate:.1e} instead of {planned:.1e}"
        found.append(Finding(place, symbol, "training", words))
    for key, name in (("planned_steps", "settings (out.json)"), ("last_step", "learning curve (lcurve.out)")):
        if record[key] is None:
            found.append(Finding(place, symbol, "missing", f"no {name} of the training"))
    if models == 0:
        found.append(Finding(place, symbol, "missing", "no model"))
    if models > 1:
        words = f"settings, learning curve and seeds are those of one of {models} models"
        found.append(Finding(place, symbol, "missing", words))
    return found


def named_sets(
    place: str, symbol: str, systems: Sequence[str], present: Collection[str], own: Collection[str] = ()
) -> list[Finding]:
    """Return what is wrong with the data sets that a training names.

    :param systems: paths of the training, of a computer that is not this one.
    :param present: folders of the data sets that are here.
    :param own: elements that the training is of beside that of its folder.
    """
    tails = Counter(_tail(PurePosixPath(system), symbol) for system in systems)
    folders = [PurePosixPath(folder).parts for folder in present]
    missing = [tail for tail in tails if not any(folder[-len(tail) :] == tail for folder in folders)]
    twice = sorted("/".join(tail) for tail, number in tails.items() if number > 1)
    others = {part for system in systems for part in PurePosixPath(system).parts if atomic_numbers.get(part)}
    others |= {element for tail in tails for part in tail if (element := element_of(PurePosixPath(part)))}
    others -= {symbol, *own}
    found = []
    if missing:
        words = f"{len(missing)} of the {len(tails)} data sets of the training are not here, as {'/'.join(missing[0])}"
        found.append(Finding(place, symbol, "missing", words))
    if twice:
        words = f"the training names {len(twice)} data sets twice, as {twice[0]}: their frames count double"
        found.append(Finding(place, symbol, "training", words))
    if others:
        found.append(Finding(place, symbol, "element", f"the training names data of {', '.join(sorted(others))}"))
    return found


def named_temperatures(place: str, symbol: str, systems: Sequence[str], others: Collection[str]) -> list[Finding]:
    """Return whether the temperatures in the names of a training's data sets are not those of its element.

    :param others: elements that the data are of beside this one.
    """
    places = {PurePosixPath(*_tail(PurePosixPath(system), symbol)) for system in systems}
    temperatures = {found for each in places if (found := temperature_of(each, symbol)) is not None}
    words = odd_temperatures(symbol, temperatures, others)
    return [Finding(place, symbol, "temperature", f"the training names data sets at {words}")] if words else []


def structures_of(place: PurePosixPath) -> set[str]:
    """Return the structures of the Materials Project that the names in a path begin with or count, as `mp-134`."""
    return {found[1] for part in place.parts if (found := _STRUCTURE.fullmatch(part))}


def named_structures(
    place: str, own: Sequence[str], systems: Sequence[str], owners: Mapping[str, Mapping[str, int]]
) -> list[Finding]:
    """Return which structures in the names of a training's data sets are those of another element.

    :param own: elements of the training, that of its folder first.
    :param owners: of each structure, how often it stands for which element in all that has been looked at.
    """
    foreign = defaultdict(set)
    for name in {name for system in systems for name in structures_of(PurePosixPath(system))}:
        counts = owners.get(name, {})
        owner = max(counts, key=lambda symbol: counts[symbol], default=own[0])
        if owner not in own and counts[owner] > max(counts.get(symbol, 0) for symbol in own):
            foreign[owner].add(name)
    return [
        Finding(place, own[0], "element", f"the training names structures of {symbol}: {', '.join(sorted(names))}")
        for symbol, names in sorted(foreign.items())
    ]


def once(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in which those that differ in numbers alone are one, which says how many they are."""
    alike: dict[tuple[str, ...], list[Finding]] = defaultdict(list)
    for each in findings:
        place, words = (_NUMBER.sub("#", text) for text in (each.place, each.words))
        alike[each.element, each.rule, place, words].append(each)
    return [
        same[0]
        if len(same) == 1
        else same[0]._replace(words=f"{same[0].words} (the first of {len(same)} that differ in numbers alone)")
        for same in alike.values()
    ]


def settings_of(details: Mapping[str, Any], atoms: int) -> dict[str, str]:
    """Return what the energies of a run depend on, by name and in words that are the same for the same thing.

    :param details: ``incar``, ``potcars``, ``kpoints`` and ``kpoint_mesh`` as they are read from a run.
    :param atoms: in the cell: meshes of k-points are compared among cells of the same number.
    """
    incar, potcars = details.get("incar") or {}, details.get("potcars") or []
    found = {name: value for name in SETTINGS if (value := _in_words(name, incar.get(name)))}
    for switch, names in _SWITCHES.items():
        if switch not in found:
            found = {name: value for name, value in found.items() if name not in names}
    mesh, number = details.get("kpoint_mesh"), details.get("kpoints")
    if (mesh or number) and "KSPACING" not in found:
        found[f"{KPOINTS} of {atoms} atoms"] = "x".join(map(str, mesh)) if mesh else str(number)
    if any(potcars):
        found[POTCARS] = ", ".join(" ".join(title.split()) for title in potcars if title)
    if functional := functional_of(incar, potcars):
        found[FUNCTIONAL] = functional
    return found


def different_settings(symbol: str, runs: Sequence[Mapping[str, str]]) -> str:
    """Return in words which settings of the runs of an element differ, so that their energies are not of one kind.

    :param runs: see `settings_of`.
    """
    words = []
    for name in (FUNCTIONAL, POTCARS, *SETTINGS, *sorted({name for run in runs for name in run if KPOINTS in name})):
        if name.startswith(KPOINTS):
            values = Counter(run[name] for run in runs if name in run)
        else:
            values = Counter(run.get(name, "not set") for run in runs)
        if len(values) > 1:
            counted = ", ".join(f"{value} ({number} runs)" for value, number in values.most_common())
            words.append(f"{name} {counted}")
    return f"runs of {symbol} differ in {'; '.join(words)}" if words else ""


def _in_words(name: str, value: Any) -> str:
    """Return the value of a tag, empty if it is as if it were not set."""
    values = value if isinstance(value, list) else [value]
    words = " ".join(
        f"{each:g}" if isinstance(each, int | float) and not isinstance(each, bool) else str(each or "").strip(" .")
        for each in values
    ).upper()
    if words in _UNSET or words == _USUAL.get(name):
        return ""
    words = "TRUE" if words == "T" else words
    return _PRECISIONS.get(words[0], words).lower() if name == "PREC" else words.replace("E-", "e-")


def _tail(system: PurePosixPath, symbol: str) -> tuple[str, ...]:
    """Return what of the path of a data set does not depend on the computer: what comes after the element."""
    parts = [part for part in system.parts if part != "/"]
    tail = parts[parts.index(symbol) + 1 :] if symbol in parts else parts[-3:]
    return tuple(tail[1:] if tail[:1] == ["data"] else tail)


def _melting(symbol: str | None) -> float | None:
    entry = elements().get(symbol or "")
    return entry.melting_temperature if entry is not None else None


def _fits(temperature: float, melting: float, tolerance: float) -> bool:
    return any(abs(temperature / (multiple * melting) - 1) <= tolerance for multiple in MULTIPLES)


def _listed() -> str:
    return ", ".join(f"{multiple:g}" for multiple in MULTIPLES[:-1]) + f" or {MULTIPLES[-1]:g}"


def _explained(odd: Sequence[float], melting: float, others: Collection[str]) -> str:
    """Return whose multiples most of some temperatures are: of another T_m of the element, or of another element."""

    def fitting(base: float) -> int:
        return sum(_fits(each, base, _OTHER) for each in odd)

    known = {symbol: value for symbol in others if (value := _melting(symbol)) is not None}
    foreign = max(known, key=lambda symbol: fitting(known[symbol]), default=None)
    bases = [each / multiple for each in odd for multiple in MULTIPLES if abs(each / multiple / melting - 1) <= _NEAR]
    own = min(bases, key=lambda base: (-fitting(base), abs(base - melting)), default=None)
    number = 0 if foreign is None else fitting(known[foreign])
    if foreign is not None and number and (own is None or number >= fitting(own)):
        return f"{_share(number, odd)} of {known[foreign]:g} K, the T_m of {foreign}"
    if own is None:
        return ""
    return f"{_share(fitting(own), odd)} of {own:.5g} K, which is {100 * (own / melting - 1):+.1f} % off"


def _share(number: int, odd: Sequence[float]) -> str:
    if len(odd) == 1:
        return "it is a multiple"
    return "they are multiples" if number == len(odd) else f"{number} of them are multiples"
