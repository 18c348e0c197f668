"""Ask the pages as a browser does, in the one thread that uses the storage, and read what comes back."""

from __future__ import annotations

import asyncio
import json
from html.parser import HTMLParser
from typing import Any

import httpx2

from aiida_dnpmelt.browse.server import make_app
from aiida_dnpmelt.browse.shelf import Shelf

ADDRESS = "http://127.0.0.1:8000"
VOID = {"meta", "img", "link", "br", "hr", "input"}


class Page(HTMLParser):
    """Text, tags, links, tables and charts of a page; fails on tags that are not closed in their order.

    :ivar tables: rows of the texts of cells, that of the head first.
    :ivar links: addresses by the text that leads there, the last one of each text.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.tables: list[list[list[str]]] = []
        self.links: dict[str, str] = {}
        self.charts: list[dict[str, Any]] = []
        self._address, self._name = "", ""
        self.feed(html)
        assert self.open == []

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        self.tags.append((tag, known))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in {"td", "th"}:
            self.tables[-1][-1].append("")
        if tag == "a":
            self._address, self._name = known.get("href") or known.get("xlink:href") or "", ""
        if "data-figure" in known:
            self.charts.append(json.loads(known["data-figure"]))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "a":
            self.links[self._name] = self._address

    def handle_data(self, data):
        if {"style", "script"} & set(self.open):
            return
        self.text += data
        self._name += data
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data

    @property
    def rows(self) -> list[list[str]]:
        """Return the rows of all tables, heads included."""
        return [row for table in self.tables for row in table]

    def column(self, name: str, table: int = 0) -> list[str]:
        """Return the texts of a column, of the first table that has it or of a later one."""
        head, *rows = [each for each in self.tables if name in each[0]][table]
        return [row[head.index(name)] for row in rows]


class Visitor:
    """Somebody who looks at the pages of the profile that is loaded."""

    def __init__(self) -> None:
        self._app = make_app("the profile", Shelf())

    def ask(self, path: str, method: str = "GET", **headers: str) -> httpx2.Response:
        """Return the answer, whatever it is."""

        async def talk() -> httpx2.Response:
            transport = httpx2.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx2.AsyncClient(transport=transport, base_url=ADDRESS) as client:
                return await client.request(method, path, headers=headers)

        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(talk())
        finally:
            loop.close()

    def see(self, path: str) -> Page:
        """Return a page that is there."""
        answer = self.ask(path)
        assert answer.status_code == 200, answer.text
        return Page(answer.text)

    def refused(self, path: str, status: int = 400) -> str:
        """Return the text of the page that says why there is none."""
        answer = self.ask(path)
        assert answer.status_code == status
        return Page(answer.text).text
