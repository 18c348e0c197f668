"""Melting temperatures of the literature that a user gives in a table."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

REQUIRED = ("pressure_gpa", "temperature_k", "source")
OPTIONAL = ("uncertainty_k",)


class LiteraturePoint(BaseModel):
    """A melting temperature of the literature."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pressure_gpa: float = Field(ge=-10, le=1000, allow_inf_nan=False, description="Pressure in GPa.")
    temperature_k: float = Field(gt=0, le=100_000, allow_inf_nan=False, description="T_m in K.")
    uncertainty_k: float | None = Field(
        None, ge=0, le=100_000, allow_inf_nan=False, description="Standard uncertainty of T_m in K; empty if unknown."
    )
    source: str = Field(min_length=1, max_length=200, description="Where it is from: the name in the legend.")


def read_literature(path: Path) -> list[LiteraturePoint]:
    """Return the points of a CSV file, by source and pressure.

    Its first line names the columns: ``pressure_gpa``, ``temperature_k``, ``source``, and ``uncertainty_k`` or not.
    Empty lines and those that begin with # are skipped.

    :raises ValueError: if the file cannot be read, has other columns, no points, or a value out of range; it names the
        line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            points = list(_points(path, _rows(handle)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not points:
        raise ValueError(f"{path} has no points")
    return sorted(points, key=lambda point: (point.source, point.pressure_gpa))


def _rows(handle: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that hold something, each with the number of its line."""
    lines = ("\n" if line.startswith("#") else line for line in handle)
    reader = csv.reader(lines, skipinitialspace=True, strict=True)
    for row in reader:
        if any(cell.strip() for cell in row):
            yield reader.line_num, [cell.strip() for cell in row]


def _points(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Iterator[LiteraturePoint]:
    _, columns = next(rows, (0, []))
    missing = [name for name in REQUIRED if name not in columns]
    unknown = [name for name in columns if name not in (*REQUIRED, *OPTIONAL)]
    if missing or unknown or len(set(columns)) < len(columns):
        raise ValueError(
            f"{path}: the columns must be {', '.join(REQUIRED)} and, if known, {', '.join(OPTIONAL)}; it has "
            f"{', '.join(columns) or 'none'}"
        )
    for number, row in rows:
        if len(row) != len(columns):
            raise ValueError(f"{path}, line {number}: it must have {len(columns)} values, as the first line has")
        values = {name: text for name, text in zip(columns, row, strict=True) if text or name not in OPTIONAL}
        try:
            yield LiteraturePoint.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = f"{path}, line {number}, {'.'.join(map(str, first['loc']))}"
            raise ValueError(f"{where}: {first['msg']}, it is {first['input']!r}") from error
