"""What the address of a page may say; everything else is refused with a reason."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from uuid import UUID

from aiida import orm
from aiida.common.exceptions import NotExistent
from ase.data import atomic_numbers
from starlette.exceptions import HTTPException
from starlette.requests import Request

VERDICTS = ("valid", "unfinished", "invalid")
LARGEST_PK = 2**31 - 1
LONGEST_TEXT = 100
PRESSURES_GPA = (-1000.0, 100000.0)
LARGEST_PAGE = 10**6
_PK = re.compile(r"[1-9][0-9]{0,9}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Filters:
    """Which melting points are asked for; None or an empty text is no condition.

    :param lowest_gpa: and ``highest_gpa``: bounds of the pressure.
    :param potential: part of the label, or of the SHA-256.
    :param everything: also superseded ones, and what else is left out.
    """

    element: str = ""
    lowest_gpa: float | None = None
    highest_gpa: float | None = None
    potential: str = ""
    protocol: str = ""
    verdict: str = ""
    everything: bool = False

    @property
    def pressures(self) -> tuple[float, float]:
        """Return the lowest and the highest pressure in GPa."""
        low = -math.inf if self.lowest_gpa is None else self.lowest_gpa
        return low, math.inf if self.highest_gpa is None else self.highest_gpa

    @property
    def parameters(self) -> dict[str, str | None]:
        """Return the filters as they stand in an address."""
        return {
            "element": self.element,
            "from": None if self.lowest_gpa is None else f"{self.lowest_gpa:g}",
            "to": None if self.highest_gpa is None else f"{self.highest_gpa:g}",
            "potential": self.potential,
            "protocol": self.protocol,
            "verdict": self.verdict,
            "all": "1" if self.everything else None,
        }


FILTERS = ("element", "from", "to", "potential", "protocol", "verdict", "all")
"""Names of the parameters that `filters_of` reads."""


def parameters_of(request: Request, *known: str) -> dict[str, str]:
    """Return the parameters of an address that are not empty.

    :raises HTTPException: if one is unknown, or there twice, or holds what no name or number does.
    """
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            allowed = f"one of {', '.join(known)}" if known else "none here"
            raise HTTPException(400, f"'{_shown(name)}' is no parameter of this page, it can be {allowed}")
        if name in found:
            raise HTTPException(400, f"{name} is there more than once")
        if len(value) > LONGEST_TEXT or not value.isprintable():
            raise HTTPException(400, f"{name} is longer than {LONGEST_TEXT} characters, or not all of it is text")
        found[name] = value.strip()
    return {name: value for name, value in found.items() if value}


def filters_of(given: dict[str, str]) -> Filters:
    """Return the filters that parameters stand for.

    :raises HTTPException: if a value is out of its range.
    """
    element, verdict = given.get("element", ""), given.get("verdict", "")
    if element and element not in atomic_numbers:
        raise HTTPException(400, f"element is '{element}', it can be a chemical symbol, as Cu")
    if verdict and verdict not in VERDICTS:
        raise HTTPException(400, f"verdict is '{verdict}', it can be one of {', '.join(VERDICTS)}")
    low, high = _pressure(given, "from"), _pressure(given, "to")
    if low is not None and high is not None and low > high:
        raise HTTPException(400, f"the pressures are from {low:g} to {high:g} GPa, which is no range")
    return Filters(
        element=element,
        lowest_gpa=low,
        highest_gpa=high,
        potential=given.get("potential", ""),
        protocol=given.get("protocol", ""),
        verdict=verdict,
        everything=flag_of(given, "all"),
    )


def flag_of(given: dict[str, str], name: str) -> bool:
    """Return whether a box is ticked.

    :raises HTTPException: if the value is not ``1``.
    """
    if given.get(name, "1") != "1":
        raise HTTPException(400, f"{name} is '{given[name]}', it can be 1")
    return name in given


def page_of(given: dict[str, str]) -> int:
    """Return the number of a page of a long table, from 1 on.

    :raises HTTPException: if it is none.
    """
    text = given.get("page", "1")
    if not _PK.fullmatch(text) or int(text) > LARGEST_PAGE:
        raise HTTPException(400, f"page is '{text}', it can be a number from 1 to {LARGEST_PAGE}")
    return int(text)


def node_of(request: Request) -> orm.Node:
    """Return the node that the path names by its UUID or PK.

    :raises HTTPException: if it names none.
    """
    text = request.path_params["identifier"]
    if _UUID.fullmatch(text):
        filters: dict[str, str | int] = {"uuid": str(UUID(text))}
    elif _PK.fullmatch(text) and int(text) <= LARGEST_PK:
        filters = {"id": int(text)}
    else:
        raise HTTPException(400, f"'{_shown(text)}' is neither a whole UUID nor a PK from 1 to {LARGEST_PK}")
    try:
        node: orm.Node = orm.QueryBuilder().append(orm.Node, filters=filters).one()[0]
    except NotExistent as exception:
        raise HTTPException(404, f"there is no node {text} in this profile") from exception
    return node


def is_final(node: orm.Node) -> bool:
    """Return whether nothing of a node can change any more: it is data, or a process that has ended."""
    return not isinstance(node, orm.ProcessNode) or bool(node.is_sealed)


def _pressure(given: dict[str, str], name: str) -> float | None:
    if name not in given:
        return None
    low, high = PRESSURES_GPA
    try:
        value = float(given[name])
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise HTTPException(400, f"{name} is '{given[name]}', it can be a pressure from {low:g} to {high:g} GPa")
    return value


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
