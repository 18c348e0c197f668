"""The file of a campaign: what is computed, with what, and how much of it at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from aiida_dnpmelt.campaign.overrides import override_problems
from aiida_dnpmelt.data.elements import check_symbol
from aiida_dnpmelt.workchains.protocols import load_protocol, load_protocols

MAXIMUM_BYTES = 200_000
MAXIMUM_DEPTH = 20
MAXIMUM_CELLS = 10_000
PROTOCOLS = {"points": "tpc", "melting": "melting"}
"""By mode, the work chain whose protocols the file names."""

Pressure = Annotated[float, Field(ge=-10, le=1000, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=1, le=899_999_999)]


class ElementSettings(BaseModel):
    """An element that is not melted from its tabulated crystal, or from another first guess."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    structure: Path | None = Field(None, description="File of the crystal, beside the campaign's file; ASE reads it.")
    lattice: Literal["fcc", "bcc", "hcp", "diamond"] | None = Field(
        None, description="Or its lattice, by default the one from which it melts."
    )
    a_angstrom: float | None = Field(
        None, gt=0, le=100, description="Lattice parameter a of that in Angstrom, by default the tabulated one."
    )
    c_angstrom: float | None = Field(None, gt=0, le=100, description="Lattice parameter c of hcp in Angstrom.")
    any_crystal: bool = Field(
        False, description="Take a crystal that is none of fcc, bcc, hcp, diamond, or has defects, as it is."
    )
    temperature_k: float | None = Field(
        None, gt=0, le=20_000, description="First guess of T_m in K instead of the experimental one."
    )

    @model_validator(mode="after")
    def _one_crystal(self) -> ElementSettings:
        if self.lattice is None and self.a_angstrom is not None:
            raise ValueError("a_angstrom: it goes with lattice")
        if self.structure is not None and self.lattice is not None:
            raise ValueError("structure and lattice: give one of them")
        if self.c_angstrom is not None and self.lattice != "hcp":
            raise ValueError("c_angstrom: it goes with lattice: hcp")
        return self


class CodeSettings(BaseModel):
    """Codes by what they run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lammps: str = Field("lmp@localhost", description="LAMMPS for EAM potentials.")
    lammps_deepmd: str = Field("lmp-deepmd@localhost", description="LAMMPS for DeePMD models.")
    deepmd: str = Field("dp@localhost", description="DeePMD-kit; mode `melting` trains with it.")


class JobOptions(BaseModel):
    """What each coexistence job asks its scheduler for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_wallclock_seconds: int | None = Field(None, ge=10, le=100_000_000, description="Wall time in s.")
    machines: int = Field(1, ge=1, le=10_000, description="Machines.")
    mpi_processes: int = Field(1, ge=1, le=10_000, description="MPI processes on each machine.")
    queue_name: str | None = Field(None, max_length=200, description="Queue or partition.")
    account: str | None = Field(None, max_length=200, description="Account that pays.")
    parallel_env: str | None = Field(None, max_length=200, description="Parallel environment of SGE, or hosts of LSF.")

    def scheduler_options(self) -> dict[str, Any]:
        """Return what also the jobs of the learning must ask for."""
        return {} if self.parallel_env is None else {"resources": {"parallel_env": self.parallel_env}}

    def options(self) -> dict[str, Any]:
        """Return them as AiiDA takes them."""
        own = self.model_dump(include={"max_wallclock_seconds", "queue_name", "account"}, exclude_none=True)
        counts = {"num_machines": self.machines, "num_mpiprocs_per_machine": self.mpi_processes}
        resources = {**self.scheduler_options().get("resources", {}), **counts}
        return {**own, "resources": resources, "withmpi": self.machines * self.mpi_processes > 1}


class CampaignSettings(BaseModel):
    """What a campaign computes: a melting temperature for each element, pressure and potential."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Name of the campaign, of letters, digits and ._-; the group of its work chains is "
        "`dnpmelt/campaign/NAME`.",
    )
    mode: Literal["points", "melting"] = Field(
        "points",
        description="`points`: T_m of the potentials. `melting`: models are learned from the references, then melted.",
    )
    elements: dict[str, ElementSettings] = Field(
        min_length=1, max_length=118, description="List of symbols, or a mapping of symbols to ElementSettings."
    )
    pressures_gpa: list[Pressure] = Field(
        [0.0], min_length=1, max_length=1000, description="Pressures in GPa, from -10 to 1000."
    )
    potentials: dict[str, list[str]] = Field(
        {}, description="Mode `points`, by element: a file, or the label or UUID of a stored potential, or a list."
    )
    references: dict[str, list[str]] = Field(
        {}, description="Mode `melting`, by element: the potentials that label frames, given in the same ways."
    )
    protocol: str = Field("balanced", description="Protocol of the work chains.")
    overrides: dict[str, Any] = Field({}, description="Values over the protocol's, in its sections.")
    seeds: list[Seed] | None = Field(
        None, min_length=1, max_length=1000, description="Mode `points`: seeds of the runs instead of the protocol's."
    )
    teacher: bool = Field(True, description="Mode `melting`: compute the T_m of the references as well.")
    codes: CodeSettings = Field(default_factory=CodeSettings, description="Codes, see CodeSettings.")
    options: JobOptions = Field(default_factory=JobOptions, description="Options of coexistence jobs, see JobOptions.")
    maximum_running: int = Field(2, ge=1, le=10_000, description="Work chains that run at once.")

    @property
    def sources_key(self) -> str:
        """Return the key of `sources`."""
        return "potentials" if self.mode == "points" else "references"

    @property
    def sources(self) -> Mapping[str, list[str]]:
        """Return the potentials or references by element, as the file names them."""
        found: Mapping[str, list[str]] = getattr(self, self.sources_key)
        return found

    @field_validator("elements", mode="before")
    @classmethod
    def _as_mapping(cls, value: Any) -> Any:
        if isinstance(value, list):
            twice = [str(each) for each, number in Counter(map(str, value)).items() if number > 1]
            if twice:
                raise ValueError(f"{', '.join(twice)} given twice")
            return {each: {} for each in value}
        if isinstance(value, dict):
            return {symbol: {} if given is None else given for symbol, given in value.items()}
        return value

    @field_validator("elements")
    @classmethod
    def _are_elements(cls, value: dict[str, ElementSettings]) -> dict[str, ElementSettings]:
        for symbol in value:
            check_symbol(symbol)
        return value

    @field_validator("potentials", "references", mode="before")
    @classmethod
    def _as_lists(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {symbol: [given] if isinstance(given, str) else given for symbol, given in value.items()}

    @field_validator("pressures_gpa", "seeds")
    @classmethod
    def _different(cls, value: list[float] | None) -> list[float] | None:
        texts = Counter(pressure_text(each) for each in value or [])
        twice = [text for text, number in texts.items() if number > 1]
        if twice:
            raise ValueError(f"{', '.join(twice)} given twice")
        return value

    @model_validator(mode="after")
    def _fits_mode(self) -> CampaignSettings:
        of_other = {"points": ("references", "teacher"), "melting": ("potentials", "seeds")}
        for name in of_other[self.mode]:
            if name in self.model_fields_set:
                raise ValueError(f"{name}: it does not go with mode: {self.mode}")
        known = load_protocols(PROTOCOLS[self.mode])["protocols"]
        if self.protocol not in known:
            raise ValueError(f"protocol: {self.protocol!r} is not one of {', '.join(known)}")
        for problem in _misshapen(self.overrides, _protocol(self.mode, self.protocol), "overrides"):
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _has_potentials(self) -> CampaignSettings:
        for symbol in self.elements:
            if not self.sources.get(symbol):
                raise ValueError(f"{self.sources_key}: {symbol} has none")
        strangers = [symbol for symbol in self.sources if symbol not in self.elements]
        if strangers:
            raise ValueError(f"{self.sources_key}: {', '.join(strangers)} is not among elements")
        number = len(self.pressures_gpa) * sum(map(len, self.sources.values()))
        if number > MAXIMUM_CELLS:
            raise ValueError(f"{number} cells asked for, {MAXIMUM_CELLS} are allowed: divide the campaign")
        return self


_KINDS: dict[str, Any] = {
    "a mapping": dict,
    "a list": list,
    "a number, such as 1.0e+9": int | float,  # YAML takes 1e9 for a text
    "a text": str,
}
_PARTS: dict[str, type[BaseModel]] = {"elements": ElementSettings, "codes": CodeSettings, "options": JobOptions}


def _protocol(mode: str, name: str) -> dict[str, Any]:
    """Return a protocol with those that its sections are put over."""
    own = load_protocol(PROTOCOLS[mode], name)
    if mode == "points":
        return own
    learning = {**load_protocol("adaptive_learning", name), "training": load_protocol("training", name)}
    coexistence = load_protocol("tpc", name)
    return {**own, "learning": learning, "tpc": coexistence, "teacher_tpc": coexistence}


def _misshapen(values: Mapping[str, Any], known: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield which values are of another kind than those of a protocol that they are put over, in words."""
    for key, value in values.items():
        old = known.get(key)
        kind = next((name for name, types in _KINDS.items() if isinstance(old, types)), None)
        if value is None and not isinstance(old, dict):
            continue  # as `minimum_atoms` of another size
        if kind is not None and not isinstance(value, _KINDS[kind]):
            yield f"{place}.{key}: it must be {kind} (got {str(value)[:80]!r})"
        elif isinstance(old, dict):
            yield from _misshapen(value, old, f"{place}.{key}")


def pressure_text(pressure_gpa: float) -> str:
    """Return a pressure as keys have it: two that differ beyond ten digits are the same."""
    return f"{pressure_gpa + 0.0:.10g}"  # there is one zero


def read_settings(path: Path) -> CampaignSettings:
    """Return the settings of a file.

    :raises ValueError: if it is no such file; a line for each problem, with its line in the file, key and value.
    """
    tree, values = _read(path)
    try:
        return CampaignSettings.model_validate(values)
    except ValidationError as exception:
        problems = [_problem(tree, error) for error in exception.errors()]
        raise ValueError("\n".join(f"{path}:{line}: {words}" for line, words in sorted(problems))) from exception


def check_overrides(path: Path, settings: CampaignSettings) -> None:
    """Check the overrides of a file against the protocol that they are put over.

    :raises ValueError: if some are refused; a line for each, with its line in the file, key, value and what is allowed.
    """
    problems = override_problems(settings.mode, settings.protocol, settings.overrides)
    if problems:
        tree, _ = _read(path)
        lines = sorted((_line(tree, ("overrides", *place)), words) for place, words in problems)
        raise ValueError("\n".join(f"{path}:{line}: {words}" for line, words in lines))


def _read(path: Path) -> tuple[yaml.Node, Any]:
    """Return the nodes of a file, which know their lines, and its values, after a check that it is harmless to read."""
    size = path.stat().st_size
    if size > MAXIMUM_BYTES:
        raise ValueError(f"{path}: {size} bytes, a campaign has {MAXIMUM_BYTES} at most")
    try:
        text = path.read_text(encoding="utf-8")
        problem = _harm(text)
        if problem is None:
            tree, values = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except yaml.MarkedYAMLError as exception:
        line = exception.problem_mark.line + 1 if exception.problem_mark else 1
        raise ValueError(f"{path}:{line}: {exception.problem}") from exception
    except (yaml.YAMLError, ValueError) as exception:  # a date that is none is a ValueError
        raise ValueError(f"{path}: no YAML: {' '.join(str(exception).split())}") from exception
    if problem is not None:
        raise ValueError(f"{path}:{problem}")
    if not isinstance(tree, yaml.MappingNode):
        raise ValueError(f"{path}: it must be a mapping of keys to values, see the reference of the campaign")
    for line, key in _repeated_keys(tree):
        raise ValueError(f"{path}:{line}: {key} is given twice")
    return tree, values


def _harm(text: str) -> str | None:
    """Return the line and what makes a text grow beyond its size, None if nothing does."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        line = event.start_mark.line + 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            return f"{line}: aliases (*{event.anchor}) are not allowed"
        if depth > MAXIMUM_DEPTH:
            return f"{line}: nested deeper than {MAXIMUM_DEPTH} levels"
    return None


def _repeated_keys(node: yaml.Node) -> Iterator[tuple[int, str]]:
    """Yield the keys that a mapping has twice, of which YAML would silently take the last, with their lines."""
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _repeated_keys(each)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if str(key.value) in seen:
                yield key.start_mark.line + 1, str(key.value)
            seen.add(str(key.value))
            yield from _repeated_keys(value)


def _line(node: yaml.Node, place: tuple[int | str, ...]) -> int:
    """Return the line of a place in a file, or that of the last of its keys which is there."""
    line = node.start_mark.line
    for key in place:
        if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
        elif isinstance(node, yaml.MappingNode):
            found = [(each, value) for each, value in node.value if str(each.value) == str(key)]
            if not found:
                break
            line, node = found[0][0].start_mark.line, found[0][1]
            continue
        elif isinstance(node, yaml.SequenceNode):  # a list of symbols stands for a mapping
            node = next((each for each in node.value if each.value == key), node)
        else:
            break
        line = node.start_mark.line
    return int(line) + 1


def _problem(tree: yaml.Node, error: Any) -> tuple[int, str]:
    """Return the line of a problem, and the problem as key and words; checks of several keys name the first."""
    words, place = _words(error), error["loc"]
    if not place:
        return _line(tree, tuple(words.partition(":")[0].split("."))), words
    return _line(tree, place), f"{'.'.join(map(str, place))}: {words}"


def _words(error: Any) -> str:
    """Return what is wrong, with the value; for an unknown key, those that are known."""
    if error["type"] == "extra_forbidden":
        place = error["loc"]
        model = CampaignSettings if len(place) == 1 else _PARTS[str(place[0])]
        return f"unknown key, there are {', '.join(model.model_fields)}"
    if error["type"] == "missing":
        return "it is needed"
    message = str(error["msg"]).removeprefix("Value error, ")
    if isinstance(error["input"], dict | list):
        return message
    return f"{message} (got {str(error['input'])[:80]!r})"
