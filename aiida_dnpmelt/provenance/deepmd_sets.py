"""Find and read data sets of DeePMD-kit."""

from __future__ import annotations

from pathlib import Path

from .sources import Dataset, Source, dataset_of, load_with_dpdata


def set_of(folder: Path) -> Source | None:
    """Return the data set that a folder is: `set.*` are taken rather than the `.raw` files that they were made from."""
    if not (folder / "type.raw").is_file():
        return None
    if any(folder.glob("set.*/coord.npy")):
        return Source(folder, "deepmd/npy")
    return Source(folder, "deepmd/raw") if (folder / "coord.raw").is_file() else None


def read_set(source: Source, symbol: str | None, temperature_k: float | None) -> Dataset:
    """Return the frames of a data set; see `aiida_dnpmelt.provenance.datasets.read_dataset`."""
    return dataset_of(source, load_with_dpdata(source), symbol, temperature_k)
