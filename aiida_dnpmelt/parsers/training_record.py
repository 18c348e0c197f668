"""What the files beside a published model say of its training: was it ended. Knows nothing of AiiDA."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from aiida_dnpmelt.parsers.training_files import LEARNING_RATE, STEP, plain, read_learning_curve

_NEAR = 1.5
"""Ratio of the last learning rate to that of the schedule up to which a training counts as ended."""
_DISPLAY_STEPS = 1000
"""DeePMD-kit's default of `disp_freq`, the steps between rows of the learning curve."""
_UNKNOWN_SHARE = 0.1
"""Share of a training that may be between rows if the settings do not say it: a larger one would hide an early end."""
_DECAY_STEPS = 5000
"""DeePMD-kit's default of `decay_steps`, the steps between changes of the learning rate."""


def training_record(settings: bytes | str | None, curve: Iterable[str]) -> dict[str, Any]:
    """Return what is known of a training from its `input.json` or `out.json` and its `lcurve.out`.

    :param settings: content of the settings; None if there are none.
    :param curve: lines of the learning curve, with their ends; none if there is none.
    :return: ``planned_steps``, ``last_step``, ``last_learning_rate``, ``planned_learning_rate``, ``last_errors`` by the
        names that `read_learning_curve` gives them, ``seeds`` by part, ``type_map``, ``ended``: whether steps and
        learning rate came to the end of their schedule, as far as its rows can tell, None if it is not known, and
        ``flaw``: in words what is wrong with the settings, empty if nothing is.
    """
    content, flaw = _content(settings)
    planned = _settings(content)
    last = {name: plain(float(values[-1])) for name, values in read_learning_curve(curve).items()}
    step, rate = last.pop(STEP, None), last.pop(LEARNING_RATE, None)
    return {
        **planned,
        "last_step": None if step is None else int(step),
        "last_learning_rate": rate,
        "last_errors": last,
        "ended": _ended(planned["planned_steps"], _part(content, "training"), step)
        and _at_its_end(planned["planned_steps"], _part(content, "learning_rate"), step, rate),
        "flaw": flaw,
    }


def named_systems(settings: bytes | str | None) -> list[str]:
    """Return the data sets that the settings of a training name; none if they cannot be read."""
    training = _part(_content(settings)[0], "training")
    systems = (_part(training, "training_data") or training).get("systems", [])
    return [str(each) for each in systems] if isinstance(systems, list) else [str(systems)]


def settings_flaw(settings: bytes | str) -> str:
    """Return in words what is wrong with the settings of a training, empty if nothing is."""
    return _content(settings)[1]


def _content(settings: bytes | str | None) -> tuple[Any, str]:
    """Return what settings hold, and in words what is wrong with them."""
    if settings is None:
        return {}, ""
    if not settings.strip():
        return {}, "is empty"
    text, flaw = (settings, "") if isinstance(settings, str) else _text(settings)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {}, f"is no JSON: {error}"
    return (content, flaw) if isinstance(content, dict) else ({}, "holds no settings of a training")


def _text(settings: bytes) -> tuple[str, str]:
    """Return settings as text, and in words what is wrong with it."""
    try:
        return settings.decode(json.detect_encoding(settings)), ""
    except UnicodeDecodeError:
        return settings.decode(errors="replace"), "holds bytes that are no text (UTF-8)"


def _settings(content: Any) -> dict[str, Any]:
    model, training = _part(content, "model"), _part(content, "training")
    parts = {"descriptor": _part(model, "descriptor"), "fitting_net": _part(model, "fitting_net"), "training": training}
    names = model.get("type_map")
    return {
        "planned_steps": _number(training, "numb_steps", _number(training, "stop_batch")),
        "planned_learning_rate": _number(_part(content, "learning_rate"), "stop_lr"),
        "seeds": {name: part["seed"] for name, part in parts.items() if part.get("seed") is not None},
        "type_map": [str(name) for name in names] if isinstance(names, list) else None,
    }


def _part(content: Any, name: str) -> Mapping[str, Any]:
    part = content.get(name) if isinstance(content, dict) else None
    return part if isinstance(part, dict) else {}


def _number(part: Mapping[str, Any], name: str, default: Any = None) -> Any:
    """Return a number of the settings, the default if it is none, or no finite one."""
    found = part.get(name)
    usable = isinstance(found, int | float) and not isinstance(found, bool) and isfinite(found)
    return found if usable else default


def _ended(planned: float | None, training: Mapping[str, Any], step: float | None) -> bool | None:
    """Tell whether the last row of the learning curve can be the last row of the whole training.

    Some backends write no row at the last step, all write one at the first: by itself it tells nothing of the end.
    """
    if planned is None or step is None:
        return None
    if step >= planned:
        return True
    every = min(_number(training, "disp_freq", min(_DISPLAY_STEPS, _UNKNOWN_SHARE * planned)), step)
    return bool(step >= planned - every) if step > 1 else None


def _at_its_end(
    planned: float | None, schedule: Mapping[str, Any], step: float | None, rate: float | None
) -> bool | None:
    """Tell whether the learning rate of the last row is that of its step, for the schedules whose end is known.

    The exponential one changes at multiples of ``decay_steps`` in some backends: a rate may be as old as that.
    """
    stop, start = _number(schedule, "stop_lr"), _number(schedule, "start_lr")
    if planned is None or step is None or rate is None or stop is None or stop <= 0:
        return True
    if step >= planned:
        return rate <= _NEAR * stop
    if start is None or start <= stop or schedule.get("type", "exp") != "exp":
        return True
    since = max(0.0, step - min(_number(schedule, "decay_steps", _DECAY_STEPS), planned))
    return bool(rate <= _NEAR * start * (stop / start) ** (since / planned))
