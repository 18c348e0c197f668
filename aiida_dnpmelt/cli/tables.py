"""Print rows as a table, as JSON, as CSV or as a table for LaTeX."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from aiida_dnpmelt.report.terminal import plain

FORMATS = ("table", "json", "csv", "latex")
READ = ("table", "latex")
"""Formats that are for readers: numbers are rounded, and have their uncertainties beside them."""
_UNKNOWN = {"table": "-", "csv": "", "latex": "--"}
"""What stands for a value that is not known."""
_ESCAPED = {**{sign: f"\\{sign}" for sign in "&%$#_{}"}, "\\": r"\textbackslash{}", "~": r"\textasciitilde{}"}
_ESCAPED |= {"^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": r"\textbar{}", "−": "$-$", "–": "--"}
_SYMBOLS = {r"T\_m": r"$T_\mathrm{m}$", r"E\_coh": r"$E_\mathrm{coh}$", r"k\_B": r"$k_\mathrm{B}$"}
_NEGATIVE = re.compile(r"-(?=\d)")


def echo_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], output_format: str) -> None:
    """Print the values of ``columns`` of each row; lists are joined by spaces but in JSON.

    A value that is not known is null in JSON, empty in CSV, and a dash for readers.
    """
    if output_format == "json":
        click.echo(json.dumps([{name: row[name] for name in columns} for row in rows], indent=2))
        return
    unknown = _UNKNOWN[output_format]
    cells = [[unknown if row[name] is None else _text(row[name]) for name in columns] for row in rows]
    if output_format == "csv":
        csv.writer(sys.stdout, lineterminator="\n").writerows([list(columns), *cells])
        return
    if output_format == "latex":
        click.echo(latex(columns, cells))
        return
    click.echo(aligned([list(columns), *cells]))


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Return lines of cells as text with columns of one width each."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ((text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def echo_note(text: str, output_format: str) -> None:
    """Print what stands beside a table: below it, as a comment of LaTeX, and out of the way of JSON and CSV."""
    click.echo(f"% {text}" if output_format == "latex" else text, err=output_format not in READ)


def echo(text: object, err: bool = False) -> None:
    """Print text that may come from an archive: whatever is in it, the terminal only shows it."""
    click.echo(plain(str(text)), err=err)


def latex(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Return a table for LaTeX with the rules of the package booktabs."""
    head, *body = (" & ".join(map(_escaped, line)) + r" \\" for line in [columns, *cells])
    lines = [rf"\begin{{tabular}}{{{'l' * len(columns)}}}", r"\toprule", head, r"\midrule", *body]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _escaped(text: str) -> str:
    if text == _UNKNOWN["table"]:
        return _UNKNOWN["latex"]
    negative = _NEGATIVE.match(text) is not None
    signs = "".join(_ESCAPED.get(sign, sign) for sign in (text[1:] if negative else text))
    for written, symbol in _SYMBOLS.items():
        signs = signs.replace(written, symbol)
    return f"$-${signs}" if negative else signs


def _text(value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return plain(text).replace("\n", "\\n")
