"""What a campaign puts over a protocol, checked key by key before anything is loaded or submitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from aiida_dnpmelt.calculations.coexistence_settings import CoexistenceSettings
from aiida_dnpmelt.calculations.learning_plan import LearningPlan, WarmStart
from aiida_dnpmelt.calculations.melting import CorrectionSettings
from aiida_dnpmelt.calculations.melting_point import Size
from aiida_dnpmelt.physics.plan import Plan
from aiida_dnpmelt.workchains.protocols import load_protocol, merge

Place = tuple[int | str, ...]
Sections = Mapping[str, Any]
"""What may stand in a mapping: by key a model, further sections, or None for what is checked elsewhere."""

_COEXISTENCE: Sections = {"run": CoexistenceSettings, "plan": Plan, "size": Size, "seeds": None}
_ABOUT = ("name", "description")
"""Keys of a protocol that are no settings."""


def override_problems(mode: str, protocol: str, overrides: Mapping[str, Any]) -> list[tuple[Place, str]]:
    """Return what is wrong with overrides, each with its place below `overrides`, in words.

    :param mode: of the campaign.
    :param protocol: name of the protocol that they are put over.
    """
    return list(_problems(_sections(mode, protocol), _settings(mode, protocol), overrides, ()))


def _sections(mode: str, protocol: str) -> Sections:
    if mode == "points":
        return _COEXISTENCE
    training = dict.fromkeys(key for key in load_protocol("training", protocol) if key not in _ABOUT)
    learning = {"plan": LearningPlan, "training": training, "warm": WarmStart, "seed": None}
    both = {"tpc": _COEXISTENCE, "teacher_tpc": _COEXISTENCE}
    return {"learning": learning, **both, "correction": CorrectionSettings, "seed": None}


def _settings(mode: str, protocol: str) -> dict[str, Any]:
    """Return the settings of a protocol, with those of the work chains that it calls in the sections for them."""
    if mode == "points":
        return load_protocol("tpc", protocol)
    whole = {name: load_protocol("tpc", protocol) for name in ("tpc", "teacher_tpc")}
    learning = {**load_protocol("adaptive_learning", protocol), "training": load_protocol("training", protocol)}
    return merge({**whole, "learning": learning}, load_protocol("melting", protocol))


def _problems(
    sections: Sections, settings: Mapping[str, Any], overrides: Mapping[str, Any], place: Place
) -> Iterator[tuple[Place, str]]:
    for key, value in overrides.items():
        if key not in sections:
            yield (*place, key), f"{'.'.join(map(str, ('overrides', *place)))}: {key} unknown, {_there_are(sections)}"
            continue
        known, old = sections[key], settings.get(key) or {}
        if isinstance(known, Mapping):
            yield from _problems(known, old, value or {}, (*place, key))
        elif known is not None and value is not None:
            yield from _refused(known, merge(old, value), (*place, key))


def _refused(model: type[BaseModel], values: Mapping[str, Any], place: Place) -> Iterator[tuple[Place, str]]:
    """Yield what a model refuses of values, with the keys that are allowed where one is not."""
    try:
        model(**values)
    except ValidationError as exception:
        for error in exception.errors():
            here = (*place, *error["loc"])
            words = f"{error['msg'].removeprefix('Value error, ')} (got {str(error['input'])[:80]!r})"
            if error["type"] == "extra_forbidden":
                words = f"unknown key, {_there_are(_model_at(model, error['loc'][:-1]).model_fields)}"
            yield here, f"{'.'.join(map(str, ('overrides', *here)))}: {words}"


def _there_are(keys: Mapping[str, Any]) -> str:
    return f"there are {', '.join(keys)}"


def _model_at(model: type[BaseModel], place: Sequence[int | str]) -> type[BaseModel]:
    """Return the model of a place within another one; keys of dictionaries and places in lists are passed over."""
    for key in place:
        field = model.model_fields.get(str(key))
        model = model if field is None else next(_models_in(field.annotation), model)
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
