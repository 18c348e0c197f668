"""Directives of the reference: they put the tables of `dnpmelt_tables` into a page."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import dnpmelt_tables
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Table(SphinxDirective):
    """A directive with one argument: what the table is about."""

    required_arguments = 1
    make: Callable[[str], str]

    def run(self) -> list[nodes.Node]:
        """Return the table as nodes."""
        return self.parse_text_to_nodes(type(self).make(self.arguments[0]))


class ProcessTable(Table):
    """Ports and exit codes of the process of an entry point."""

    make = staticmethod(lambda name: dnpmelt_tables.process_text(dnpmelt_tables.load_process(name)))


class SettingsTable(Table):
    """Fields of a pydantic model, given as `module:Class`."""

    make = staticmethod(lambda path: dnpmelt_tables.settings_text(_load(path)))


class ParametersTable(Table):
    """Parameters of a class by its docstring, given as `module:Class`."""

    make = staticmethod(lambda path: dnpmelt_tables.parameters_text(_load(path)))


class ProtocolsTable(Table):
    """Protocols of a work chain."""

    make = staticmethod(dnpmelt_tables.protocols_text)


class ElementsTable(SphinxDirective):
    """The table of the elements, with its columns and sources."""

    def run(self) -> list[nodes.Node]:
        """Return the tables as nodes."""
        return self.parse_text_to_nodes(dnpmelt_tables.elements_text())


class Commands(SphinxDirective):
    """All commands of the command line, a section each."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        sections: list[nodes.Node] = []
        for name, command, context in dnpmelt_tables.commands():
            section = nodes.section(ids=[nodes.make_id(name)], names=[name])
            section += nodes.title(text=name)
            section += self.parse_text_to_nodes(dnpmelt_tables.command_text(name, command, context))
            self.state.document.note_explicit_target(section)
            sections.append(section)
        return sections


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("dnpmelt-process", ProcessTable)
    app.add_directive("dnpmelt-settings", SettingsTable)
    app.add_directive("dnpmelt-parameters", ParametersTable)
    app.add_directive("dnpmelt-protocols", ProtocolsTable)
    app.add_directive("dnpmelt-elements", ElementsTable)
    app.add_directive("dnpmelt-commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _load(path: str) -> Any:
    module, name = path.split(":")
    return getattr(importlib.import_module(module), name)
