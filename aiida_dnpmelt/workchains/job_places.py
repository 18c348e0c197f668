"""The jobs of a launch: where its inputs name codes, and what their jobs ask schedulers for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiida import orm

from aiida_dnpmelt.calculations.job_resources import ONE_PROCESS


@dataclass(frozen=True)
class JobPlace:
    """A place in the inputs of a launch where jobs are described.

    :param key: of the namespace, with dots; empty for the inputs themselves.
    :param code: that the jobs run.
    :param options: of the jobs.
    """

    key: str
    code: orm.AbstractCode
    options: Mapping[str, Any]

    @property
    def resources(self) -> dict[str, Any]:
        """Return what a job asks for."""
        return dict(self.options.get("resources") or ONE_PROCESS)


def job_places(inputs: Mapping[str, Any], key: str = "") -> Iterator[JobPlace]:
    """Yield the places in the inputs of a launch, or in a namespace of them, where jobs are described.

    A job has its code beside its ``metadata``, or beside the ``job`` that holds them; a labeller ``labelling_options``.
    """
    code = inputs.get("code")
    if isinstance(code, orm.AbstractCode):
        metadata = inputs.get("job", inputs).get("metadata", {})
        yield JobPlace(key, code, metadata.get("options", {}))
    labelling = inputs.get("labelling", {})
    if isinstance(labelling.get("code"), orm.AbstractCode):
        given = inputs.get("labelling_options")
        yield JobPlace(_joined(key, "labelling"), labelling["code"], {} if given is None else given.get_dict())
    for name, value in inputs.items():
        if isinstance(value, Mapping) and name not in ("metadata", "labelling", "job"):
            yield from job_places(value, _joined(key, name))


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
