"""Two melting temperatures side by side, as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiida_dnpmelt.physics.notation import signed
from aiida_dnpmelt.provenance.compare import Comparison, Difference
from aiida_dnpmelt.report.trace_text import headline

_KINDS = {
    "given": "given data differ",
    "process": "the same inputs, another result",
    "step": "made in different ways",
    "missing": "only one of them has it",
}
_MOST = 20
_LONGEST = 70
_SAME_SIGMA = 2.0


def comparison_lines(found: Comparison) -> Iterator[str]:
    """Yield a comparison line by line."""
    yield f"first   {headline(found.first)}"
    yield f"second  {headline(found.second)}"
    yield _distance(found)
    if found.settings:
        yield "settings and facts that differ (first | second):"
        yield from (f"  {key}: {_text(a)} | {_text(b)}" for key, (a, b) in found.settings.items())
    yield _frames(found)
    if not found.differences:
        yield "nothing that they stand on differs"
        return
    yield f"first ancestors that are not the same: {len(found.differences)}"
    for difference in found.differences[:_MOST]:
        yield from _difference(difference)
    if len(found.differences) > _MOST:
        yield f"  and {len(found.differences) - _MOST} more: --format json has them all"


def _distance(found: Comparison) -> str:
    if found.difference_k is None:
        return "one of them has no T_m"
    if found.sigma is None:
        return f"second less first: {signed(found.difference_k, None)} K, uncertainty not known"
    word = "agree" if found.sigma <= _SAME_SIGMA else "do not agree"
    return (
        f"second less first: {signed(found.difference_k, found.joint_uncertainty_k)} K, {found.sigma:.1f} sigma of "
        f"the joint uncertainty: they {word} within {_SAME_SIGMA:g} sigma"
    )


def _frames(found: Comparison) -> str:
    one, two, both = (found.frames[name] for name in ("only_first", "only_second", "both"))
    if not any(each["nodes"] for each in (one, two, both)):
        return "no labelled frames behind either"
    named = [
        f"{each['frames']} frames {where} ({len(each['nodes'])} nodes)"
        for each, where in ((both, "behind both"), (one, "behind the first alone"), (two, "behind the second alone"))
    ]
    return ", ".join(named)


def _difference(difference: Difference) -> Iterator[str]:
    yield f"  {difference.path or 'result'}: {_KINDS[difference.kind]}"
    for key in dict.fromkeys([*difference.first, *difference.second]):
        yield f"    {key}: {_text(difference.first.get(key))} | {_text(difference.second.get(key))}"


def _text(value: Any) -> str:
    text = _whole(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _whole(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_whole(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return " ".join(map(_whole, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
