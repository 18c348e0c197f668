"""Find and read the labelled frames of VASP's runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aiida_dnpmelt.physics.vasprun import VaspRun, read_vasprun

from .sources import Dataset, Source, check_element, dataset_of, finite_dataset, load_with_dpdata, temperatures_of


def run_of(folder: Path) -> Source | None:
    """Return the run that a folder holds: a `vasprun.xml` is taken rather than an `OUTCAR`."""
    if (folder / "vasprun.xml").is_file():
        return Source(folder / "vasprun.xml", "vasprun.xml")
    return Source(folder / "OUTCAR", "OUTCAR") if (folder / "OUTCAR").is_file() else None


def read_run(source: Source, symbol: str | None, temperature_k: float | None) -> Dataset:
    """Return the frames of a run; see `aiida_dnpmelt.provenance.datasets.read_dataset`."""
    if source.kind == "vasprun.xml":
        return _of_vasprun(read_vasprun(source.path), symbol, temperature_k)
    data = load_with_dpdata(source, convergence_check=False)
    converged = np.isin(data["energies"], load_with_dpdata(source, convergence_check=True)["energies"])
    return dataset_of(source, data, symbol, temperature_k, converged, {"program": "VASP"})


def _of_vasprun(run: VaspRun, symbol: str | None, temperature_k: float | None) -> Dataset:
    details = {
        "program": f"VASP {run.version}".strip(),
        "incar": dict(run.incar),
        "potcars": list(run.potcars),
        "kpoints": run.kpoints,
        "lost_steps": run.lost,
    }
    if not run.steps:
        return Dataset(None, flaw=run.flaw or "no ionic step", details=details)
    check_element(run.symbols, symbol)
    frames = {**run.arrays(), "temperatures_k": temperatures_of(run.temperatures_k, temperature_k)}
    return finite_dataset(run.symbols, frames, run.converged, run.flaw, details)
