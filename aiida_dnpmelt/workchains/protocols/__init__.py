"""Named settings of the work chains, one YAML file each."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


def load_protocols(work_chain: str) -> dict[str, Any]:
    """Return the content of the protocol file of a work chain: ``default_protocol`` and ``protocols``."""
    return deepcopy(_content(work_chain))


@cache
def _content(work_chain: str) -> dict[str, Any]:
    text = files(__package__).joinpath(f"{work_chain}.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def load_protocol(work_chain: str, name: str | None = None) -> dict[str, Any]:
    """Return the settings of one protocol, the default one if no name is given.

    :raises ValueError: if there is no protocol of that name.
    """
    content = load_protocols(work_chain)
    protocols = content["protocols"]
    name = name or content["default_protocol"]
    if name not in protocols:
        raise ValueError(f"protocol: {name!r} is not one of {', '.join(protocols)}")
    return {"name": name, **protocols[name]}


def merge(settings: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Return ``settings`` with ``overrides`` put over them, nested dictionaries key by key."""
    result = dict(settings)
    for key, value in overrides.items():
        old = result.get(key)
        result[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result
