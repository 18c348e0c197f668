"""Take what others made into the provenance graph."""

from __future__ import annotations

from pathlib import Path

from aiida.engine import run_get_node
from aiida.orm import Code, SinglefileData, load_code

from aiida_dnpmelt.calculations.deepmd_show import DeepmdShowCalculation
from aiida_dnpmelt.data.potential import DEEPMD, PotentialData, pair_style_of

DEEPMD_CODE = "dp@localhost"


def import_potential(
    path: Path,
    pair_style: str | None = None,
    origin: str = "",
    licence: str = "",
    label: str = "",
    code: str = DEEPMD_CODE,
) -> PotentialData:
    """Return the stored potential of a file; the same content is never stored twice.

    A DeePMD model is opened by a job with ``code``, which this function waits for. The pair style is that of the
    suffix if none is given.

    :raises ValueError: if the file is no such potential, or the job finds that it is none.
    :raises OSError: if the file cannot be read.
    :raises aiida.common.exceptions.NotExistent: if a job is needed and there is no such code.
    """
    if (pair_style or pair_style_of(path)) == DEEPMD:
        return PotentialData.find(path, DEEPMD) or _show(path, origin, licence, label, load_code(code))
    return PotentialData.get_or_create(path, pair_style, origin=origin, licence=licence, label=label)


def _show(path: Path, origin: str, licence: str, label: str, code: Code) -> PotentialData:
    model = SinglefileData(str(path.absolute()), label=label or path.name)
    outputs, job = run_get_node(
        DeepmdShowCalculation,
        code=code,
        model=model,
        origin=origin,
        licence=licence,
        metadata={"label": f"show_{path.name}"},
    )
    if not job.is_finished_ok:
        raise ValueError(f"job {job.pk} made no potential of '{path}': {job.exit_message}")
    potential: PotentialData = outputs["potential"]
    return potential
