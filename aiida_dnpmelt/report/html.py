"""A page: sections of text, tables and pictures, written as one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

TEMPLATES = "templates"
_DPI = 150  # of what is drawn as pixels: clouds of points


@dataclass(frozen=True)
class Table:
    """A table; cells are text.

    :param left: names of the columns that are words, set flush left.
    """

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    left: frozenset[str] = frozenset()
    kind: str = "table"


@dataclass(frozen=True)
class Picture:
    """A picture within the page.

    :param source: its data, as a URL.
    :param alt: what it shows, with the numbers, for those who do not see it.
    """

    source: str
    width: int
    height: int
    alt: str
    caption: str
    kind: str = "picture"


@dataclass(frozen=True)
class Items:
    """A list."""

    items: Sequence[str]
    kind: str = "items"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: str = "text"


Block = Table | Picture | Items | Text


@dataclass(frozen=True)
class Section:
    """A section with its anchor."""

    anchor: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Card:
    """A number of the headline with what it is and what is to be known of it; `main` is the number of the page."""

    name: str
    value: str
    notes: Sequence[str] = ()
    main: bool = False


@dataclass(frozen=True)
class Page:
    """A page.

    :param state: in words, if the work chain has not finished well.
    :param verdict: ``valid``, ``unfinished``, ``invalid``, or what stands for it.
    :param good: whether the verdict is the best there is.
    :param reasons: for the verdict.
    """

    title: str
    subtitle: str
    state: str | None
    verdict: str | None
    good: bool
    cards: Sequence[Card]
    reasons: Sequence[str]
    sections: Sequence[Section]
    footer: str
    language: str = field(default="en")


def picture(figure: Figure, alt: str, caption: str) -> Picture:
    """Return a figure as a picture: lines stay sharp at any size, clouds of points are pixels."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", dpi=_DPI, metadata={"Date": None, "Creator": None})
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    return Picture(f"data:image/svg+xml;base64,{data}", width, height, alt, caption)


def render(page: Page) -> str:
    """Return a page as HTML; all text in it is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["tm"] = typeset
    return environment.get_template("page.html").render(page=page)


def typeset(text: str) -> Markup:
    """Return escaped text in which T_m looks as it does in print."""
    from markupsafe import Markup, escape

    return Markup(str(escape(text)).replace("T_m", "<i>T</i><sub>m</sub>"))
