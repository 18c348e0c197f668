"""Tables of the reference, as Markdown, from the code itself: nothing here is written twice."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
from aiida.engine import Process
from aiida.engine.processes.ports import PortNamespace
from aiida.plugins.entry_point import load_entry_point_from_string
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from aiida_dnpmelt.cli import main
from aiida_dnpmelt.data.elements import SOURCES, Element, elements
from aiida_dnpmelt.workchains.protocols import load_protocols

PROGRAM = "aiida-dnpmelt"
OURS = "dnpmelt."
BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
NOT_SHOWN = "metadata"
"""Namespace that every process of AiiDA has, described in AiiDA's own documentation."""


def load_process(name: str) -> type[Process]:
    """Return the class of an entry point, given as `group:name`."""
    process: type[Process] = load_entry_point_from_string(name)
    return process


def process_names() -> list[str]:
    """Return the entry points of the processes of this package, as `group:name`."""
    groups = ("aiida.workflows", "aiida.calculations")
    found = [(group, point.name) for group in groups for point in entry_points(group=group)]
    return [f"{group}:{name}" for group, name in found if name.startswith(OURS)]


def process_text(process: type[Process]) -> str:
    """Return the ports and the exit codes of a process."""
    spec = process.spec()
    own, inherited = exit_codes(process)
    parts = [
        inspect.cleandoc(process.__doc__ or ""),
        "**Inputs**",
        table(("name", "type", "", "meaning"), _ports(spec.inputs)),
        "**Outputs**",
        table(("name", "type", "", "meaning"), _ports(spec.outputs)),
        "**Exit codes**",
        table(("status", "name", "message"), own),
        "**Exit codes that AiiDA adds**",
        table(("status", "name", "message"), inherited),
    ]
    return "\n\n".join(parts)


def exit_codes(process: type[Process]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return status, name and message of the exit codes that a process has itself, and of those that it inherits."""
    base = {code.status for code in process.__mro__[1].spec().exit_codes.values()}
    rows = sorted(
        ((code.status, name, code.message) for name, code in process.spec().exit_codes.items()),
        key=lambda row: row[0],
    )
    own = [(str(status), f"`{name}`", message) for status, name, message in rows if status not in base]
    inherited = [(str(status), f"`{name}`", message) for status, name, message in rows if status in base]
    return own, inherited


def settings_text(model: type[BaseModel]) -> str:
    """Return the fields of a pydantic model with their types, ranges and defaults."""
    rows = [
        (f"`{name}`", _type(field.annotation), _range(field), _default(field), field.description or "")
        for name, field in model.model_fields.items()
    ]
    return table(("key", "type", "range", "default", "meaning"), rows)


def parameters_text(described: type) -> str:
    """Return the parameters that the docstring of a class describes by ``:param name:``."""
    return table(("name", "meaning"), [(f"`{name}`", text) for name, text in parameters(described).items()])


def parameters(described: type) -> dict[str, str]:
    """Return the descriptions of the parameters in a docstring by name."""
    found = re.findall(r"^:param (\w+): (.*?)(?=^:|\Z)", inspect.cleandoc(described.__doc__ or ""), re.M | re.S)
    return {name: " ".join(text.split()).replace("``", "`") for name, text in found}


def protocols_text(work_chain: str) -> str:
    """Return the protocols of a work chain side by side."""
    content = load_protocols(work_chain)
    protocols = content["protocols"]
    described = [
        f"`{name}`{' (default)' if name == content['default_protocol'] else ''}\n: {protocol['description']}\n"
        for name, protocol in protocols.items()
    ]
    flat = {name: dict(_flat(protocol)) for name, protocol in protocols.items()}
    keys = dict.fromkeys(key for values in flat.values() for key in values if key != "description")
    rows = [(f"`{key}`", *(_value(values.get(key)) for values in flat.values())) for key in keys]
    return "\n".join(described) + "\n" + table(("key", *(f"`{name}`" for name in flat)), rows)


ELEMENT_COLUMNS = (
    ("melting_temperature", "fusion_enthalpy", "cohesive_energy"),
    ("lattice", "a", "c", "melting_lattice", "melting_a", "melting_c"),
    ("group", "magnetic_moment", "sources"),
)
"""Columns of the table of the elements, in three tables, each of which fits on a page."""


def elements_text() -> str:
    """Return the table of the elements, what its columns are, and its sources."""
    parts = [
        table(names, [[_value(getattr(each, name)) for name in names] for each in elements().values()])
        for names in (("symbol", *columns) for columns in ELEMENT_COLUMNS)
    ]
    sources = table(("source", "what it is"), [(f"`{key}`", text) for key, text in SOURCES.items()])
    return "\n\n".join([parameters_text(Element), *parts, sources])


def commands(group: click.Group = main, name: str = PROGRAM) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield the commands below a group, depth first, with their full names."""
    context = click.Context(group, info_name=name)
    for child in group.list_commands(context):
        command = group.get_command(context, child)
        assert command is not None
        inner = click.Context(command, info_name=child, parent=context)
        yield f"{name} {child}", command, inner
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {child}")


def command_text(full_name: str, command: click.Command, context: click.Context) -> str:
    """Return usage, help and options of a command."""
    pieces = command.collect_usage_pieces(context)
    usage = f"```text\n{' '.join([full_name, *pieces])}\n```"
    records = [record for option in command.params if (record := option.get_help_record(context))]
    rows = [(f"`{names}`", text) for names, text in records]
    return "\n\n".join(
        [inspect.cleandoc(command.help or ""), usage, table(("option", "meaning"), rows) if rows else ""]
    )


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    lines = [list(head), *([_cell(value) for value in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _ports(namespace: PortNamespace, prefix: str = "") -> Iterator[tuple[str, ...]]:
    for name, port in namespace.items():
        if name == NOT_SHOWN:
            continue
        yield (f"`{prefix}{name}`", _port_type(port), "required" if port.required else "optional", port.help or "")
        if isinstance(port, PortNamespace):
            yield from _ports(port, f"{prefix}{name}.")


def _port_type(port: Any) -> str:
    if isinstance(port, PortNamespace) and (len(port) or not port.dynamic):
        return "namespace"
    types = port.valid_type if isinstance(port.valid_type, tuple) else (port.valid_type,)
    names = [kind.__name__ for kind in types if kind not in (None, type(None))]
    return f"{'namespace of ' if isinstance(port, PortNamespace) else ''}{', '.join(names)}"


def _type(annotation: Any) -> str:
    """Return a type as one writes it, without modules and without the bounds of its parts."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None:
        return {type(None): "None", Ellipsis: "..."}.get(annotation) or getattr(annotation, "__name__", str(annotation))
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (Union, UnionType):
        return " | ".join(map(_type, arguments))
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    return f"{origin.__name__}[{', '.join(map(_type, arguments))}]"


def _range(field: FieldInfo) -> str:
    limits = [
        f"{sign} {getattr(item, name):g}"
        for item in field.metadata
        for name, sign in BOUNDS.items()
        if hasattr(item, name)
    ]
    return ", ".join(limits)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "its own defaults" if field.default_factory is not None else _value(field.default)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and all(isinstance(inner, str) for inner in value):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _value(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_value(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        numbers = len(value) > 4 and all(isinstance(item, int) for item in value)
        if numbers and list(value) == list(range(value[0], value[-1] + 1)):
            return f"{value[0]} to {value[-1]}"
        return ", ".join(_value(item) for item in value)
    return str(value)
