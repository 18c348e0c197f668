"""What the files beside a published model say of its training: was it ended. Knows nothing of AiiDA."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from aiida_dnpmelt.parsers.training_files import LEARNING_RATE, STEP, plain, read_learning_curve

_NEAR = 1.5
"""Ratio of the last learning rate to that at the end of the schedule up to which a training counts as ended."""


def training_record(settings: str | None, curve: Iterable[str]) -> dict[str, Any]:
    """Return what is known of a training from its `input.json` or `out.json` and its `lcurve.out`.

    :param settings: text of the settings; None if there are none.
    :param curve: lines of the learning curve, with their ends; none if there is none.
    :return: ``planned_steps``, ``last_step``, ``last_learning_rate``, ``planned_learning_rate``, ``last_errors`` by the
        names that `read_learning_curve` gives them, ``seeds`` by part, ``type_map``, and ``ended``: whether steps and
        learning rate came to the end of their schedule, None if it is not known.
    :raises ValueError: if the settings are no JSON.
    """
    planned = _settings(settings)
    last = {name: plain(float(values[-1])) for name, values in read_learning_curve(curve).items()}
    step, rate = last.pop(STEP, None), last.pop(LEARNING_RATE, None)
    return {
        **planned,
        "last_step": None if step is None else int(step),
        "last_learning_rate": rate,
        "last_errors": last,
        "ended": _ended(planned["planned_steps"], step, planned["planned_learning_rate"], rate),
    }


def _settings(text: str | None) -> dict[str, Any]:
    if text is None:
        return {"planned_steps": None, "planned_learning_rate": None, "seeds": {}, "type_map": None}
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"the settings of the training are no JSON: {error}") from error
    model, training = _part(content, "model"), _part(content, "training")
    parts = {"descriptor": _part(model, "descriptor"), "fitting_net": _part(model, "fitting_net"), "training": training}
    return {
        "planned_steps": training.get("numb_steps", training.get("stop_batch")),
        "planned_learning_rate": _part(content, "learning_rate").get("stop_lr"),
        "seeds": {name: part["seed"] for name, part in parts.items() if part.get("seed") is not None},
        "type_map": model.get("type_map"),
    }


def _part(content: Any, name: str) -> Mapping[str, Any]:
    part = content.get(name) if isinstance(content, dict) else None
    return part if isinstance(part, dict) else {}


def _ended(planned: int | None, step: float | None, planned_rate: float | None, rate: float | None) -> bool | None:
    if planned is None or step is None:
        return None
    near = planned_rate is None or rate is None or rate <= _NEAR * planned_rate
    return step >= planned and near
