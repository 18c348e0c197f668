"""What the pages have in common: their templates, tables with links, addresses and the library for charts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from plotly.offline import get_plotlyjs, get_plotlyjs_version
from starlette.responses import HTMLResponse

from aiida_dnpmelt import __version__
from aiida_dnpmelt.browse.policies import PLAIN
from aiida_dnpmelt.report.html import typeset

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request

PLOTLY_URL = f"/static/plotly-{get_plotlyjs_version()}.min.js"
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    :param url: where it leads to, within these pages.
    """

    text: str
    url: str | None = None


@dataclass(frozen=True)
class Column:
    """A column of a table.

    :param left: holds words, set flush left.
    :param url: page on which the table is sorted by it.
    :param order: how it is sorted by it now: ``ascending``, ``descending`` or nothing.
    """

    name: str
    left: bool = False
    url: str | None = None
    order: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table.

    :param faded: of less interest than the others.
    """

    cells: Sequence[Cell]
    faded: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    :param flowing: cells of words may have several lines.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    flowing: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart that a browser draws.

    :param figure: data and layout for plotly.
    :param alt: what it shows, for those who do not see it.
    """

    figure: Mapping[str, Any]
    alt: str
    caption: str

    @property
    def json(self) -> str:
        """Return the figure for the script that draws it."""
        return json.dumps(self.figure, allow_nan=False, separators=(",", ":"))


def answer(request: Request, template: str, code: int = 200, policy: str = PLAIN, **content: Any) -> HTMLResponse:
    """Return a page; all text in it is escaped.

    :param policy: one of `policies`.
    """
    common = {"path": request.url.path, "profile": request.app.state.profile, "version": __version__}
    text = _environment().get_template(template).render(**common, plotly=PLOTLY_URL, **content)
    return HTMLResponse(text, code, {"Content-Security-Policy": policy})


def error_page(request: Request, status: int, reason: str) -> HTMLResponse:
    """Return the page that says why there is no other."""
    return answer(request, "error.html", status, title=HTTPStatus(status).phrase, reason=reason)


def link(path: str, **parameters: Any) -> str:
    """Return an address with those parameters that have a value."""
    given = {name: value for name, value in parameters.items() if value not in (None, "", False)}
    return f"{path}?{urlencode(given)}" if given else path


def node_cell(uuid: str, text: str | None = None) -> Cell:
    """Return a cell that leads to the page of a node."""
    return Cell(text or uuid[:8], f"/node/{uuid}")


@cache
def plotly_script() -> bytes:
    """Return the library for charts."""
    return get_plotlyjs().encode()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["tm"] = typeset
    return environment
