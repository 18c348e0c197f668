"""Interatomic potentials: what LAMMPS needs to run them, and where they come from."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from aiida.common.exceptions import ValidationError
from aiida.orm import QueryBuilder, SinglefileData
from ase.data import atomic_numbers

from aiida_dnpmelt.physics.eam import EAM_STYLES, EamHeader, guess_pair_style, read_eam

DEEPMD = "deepmd"
PAIR_STYLES = (DEEPMD, *EAM_STYLES)
DEEPMD_SUFFIXES = (".pb", ".pth", ".pt2")
"""Models in one file that LAMMPS can run: TensorFlow, PyTorch, exported PyTorch."""
_OTHER_SUFFIXES = frozenset(
    {".pt", ".pbtxt", ".dp", ".savedmodel", ".savedmodeltf", ".hlo", ".jax", ".pd", ".pte", ".ckpt", ".index", ".meta"}
)
"""Checkpoints and models of DeePMD-kit in other forms."""
MAX_FILENAME_LENGTH = 120


class PotentialData(SinglefileData):
    """A file that LAMMPS can run: a DeePMD model, or an EAM potential.

    Attributes to query: ``pair_style``, ``type_map`` (chemical symbols in the order of the file), ``cutoff``
    (Angstrom), ``format``, ``sha256``, ``origin`` (text, DOI or URL), ``licence`` and ``filename``.
    """

    def __init__(
        self,
        file: str | Path | BinaryIO,
        filename: str | None = None,
        *,
        pair_style: str,
        type_map: Sequence[str] | None = None,
        cutoff: float | None = None,
        origin: str = "",
        licence: str = "",
        label: str = "",
        **kwargs: Any,
    ) -> None:
        """Take the file; read an EAM file whole to see that it is one.

        ``type_map`` and ``cutoff`` are needed for a DeePMD model, which only DeePMD-kit can open, and are
        read from an EAM file. The label is the name of the file if none is given.

        :raises ValueError: if the file is not what ``pair_style`` says, or a value is missing or not valid.
        """
        if pair_style not in PAIR_STYLES:
            raise ValueError(f"pair_style is '{pair_style}', it can be one of {', '.join(PAIR_STYLES)}")
        path = file if isinstance(file, str | Path) else str(getattr(file, "name", "potential"))
        given = filename or Path(path).name
        name = _safe_filename(given, pair_style)
        super().__init__(file, name, label=label or name, **kwargs)
        remarks: tuple[str, ...] = ()
        if pair_style == DEEPMD:
            if type_map is None or cutoff is None:
                raise ValueError(
                    f"'{name}' is a DeePMD model, so type_map and cutoff must be given: import it by "
                    "`aiida-dnpmelt import potential`, or run the job 'dnpmelt.deepmd_show', which reads them"
                )
        else:
            if type_map is not None or cutoff is not None:
                raise ValueError(f"type_map and cutoff are read from the EAM file '{name}': leave them out")
            header = self._read_eam(given, pair_style)
            type_map, cutoff, remarks = header.elements, header.cutoff, header.remarks
        self.base.attributes.set_many(
            {
                "pair_style": pair_style,
                "type_map": list(type_map),
                "cutoff": float(cutoff),
                "format": _format(name, pair_style),
                "sha256": self._hash_file(),
                "origin": origin,
                "licence": licence,
                **({"remarks": list(remarks)} if remarks else {}),
            }
        )
        self._check()

    @classmethod
    def from_file(cls, path: str | Path, pair_style: str | None = None, **kwargs: Any) -> PotentialData:
        """Return a new node, not stored; the suffix of the file gives the pair style if nothing else does.

        :raises ValueError: as the constructor, or if the suffix tells no pair style.
        """
        return cls(str(Path(path).absolute()), pair_style=pair_style or pair_style_of(path), **kwargs)

    @classmethod
    def get_or_create(cls, path: str | Path, pair_style: str | None = None, **kwargs: Any) -> PotentialData:
        """Return the stored node of the same content and pair style; store a new one if there is none.

        :raises ValueError: as `from_file`.
        :raises OSError: if the file cannot be read.
        """
        return cls.find(path, pair_style) or cls.from_file(path, pair_style, **kwargs).store()

    @classmethod
    def find(cls, path: str | Path, pair_style: str | None = None) -> PotentialData | None:
        """Return the oldest stored node with the content of a file and its pair style, None if there is none.

        :raises ValueError: if the suffix tells no pair style, and none is given.
        :raises OSError: if the file cannot be read.
        """
        style = pair_style or pair_style_of(path)
        filters = {"attributes.sha256": checksum(path), "attributes.pair_style": style}
        query = QueryBuilder().append(cls, filters=filters, tag="potential")
        found: PotentialData | None = query.order_by({"potential": [{"ctime": "asc"}, {"id": "asc"}]}).first(flat=True)
        return found

    @property
    def pair_style(self) -> str:
        """Return the pair style of LAMMPS: `deepmd`, `eam`, `eam/alloy` or `eam/fs`."""
        return str(self.base.attributes.get("pair_style"))

    @property
    def type_map(self) -> list[str]:
        """Return the chemical symbols that the potential knows, in its own order."""
        return list(self.base.attributes.get("type_map"))

    @property
    def cutoff(self) -> float:
        """Return the cutoff in Angstrom."""
        return float(self.base.attributes.get("cutoff"))

    @property
    def format(self) -> str:
        """Return the format of the file: `funcfl`, `setfl`, `pb`, `pth` or `pt2`."""
        return str(self.base.attributes.get("format"))

    @property
    def sha256(self) -> str:
        """Return the checksum of the file."""
        return str(self.base.attributes.get("sha256"))

    @property
    def origin(self) -> str:
        """Return where the potential comes from: text, DOI or URL."""
        return str(self.base.attributes.get("origin"))

    @property
    def licence(self) -> str:
        """Return the licence of the file."""
        return str(self.base.attributes.get("licence"))

    @property
    def remarks(self) -> list[str]:
        """Return what is to be known of the file, in words: what LAMMPS leaves out of it."""
        return list(self.base.attributes.get("remarks", []))

    @property
    def training(self) -> dict[str, Any] | None:
        """Return what is known of the training of an imported model, see `training_record`; None if nothing is."""
        found: dict[str, Any] | None = self.base.attributes.get("training", None)
        return found

    @property
    def unfinished(self) -> str:
        """Return in words that the training of the model had not ended; empty if it had, or if it is not known."""
        training = self.training
        if training is None or training["ended"] is not False:
            return ""
        others = training.get("models_beside", 1) - 1
        whose = f" (of this model or of one of {others} beside it)" if others else ""
        return f"training unfinished: step {training['last_step']} of {training['planned_steps']}{whose}"

    @property
    def training_flaw(self) -> str:
        """Return in words what is wrong with the settings of the training beside the model; empty if nothing is."""
        return str((self.training or {}).get("flaw", ""))

    def supports(self, species: Sequence[str]) -> bool:
        """Return whether the potential knows all of the chemical symbols."""
        return set(species) <= set(self.type_map)

    def lammps_commands(self, filename: str, species: Sequence[str]) -> list[str]:
        """Return the `pair_style` and `pair_coeff` lines for LAMMPS in units `metal`.

        ``filename`` is the path of the file for the run, ``species`` the chemical symbols of its atom types.

        :raises ValueError: if the potential lacks a species, or LAMMPS would not read the path as one word.
        """
        if not species or not self.supports(species):
            raise ValueError(
                f"species are '{' '.join(species)}', '{self.label}' knows '{' '.join(self.type_map)}': "
                "choose another potential or structure"
            )
        if not re.fullmatch(r"[A-Za-z0-9._/-]+", filename):
            raise ValueError(f"filename is '{filename}', it can have letters, digits and ._/- only")
        elements = " ".join(species)
        if self.pair_style == DEEPMD:
            return [f"pair_style deepmd {filename}", f"pair_coeff * * {elements}"]
        names = "" if self.pair_style == "eam" else f" {elements}"
        return [f"pair_style {self.pair_style}", f"pair_coeff * * {filename}{names}"]

    def _validate(self) -> None:
        super()._validate()
        try:
            self._check()
        except (KeyError, AttributeError, ValueError) as error:
            raise ValidationError(f"the potential '{self.filename}' is not valid: {error}") from error

    def _check(self) -> None:
        unknown = [symbol for symbol in self.type_map if not atomic_numbers.get(symbol)]
        if unknown or not self.type_map or len(set(self.type_map)) != len(self.type_map):
            raise ValueError(f"type_map is {self.type_map}, it must be a list of different chemical symbols")
        if not (math.isfinite(self.cutoff) and self.cutoff > 0):
            raise ValueError(f"cutoff is {self.cutoff} Angstrom, it must be positive")
        if self.sha256 != self._hash_file():
            raise ValueError("sha256 is not that of the file")

    def _read_eam(self, given: str, pair_style: str) -> EamHeader:
        with self.open(mode="rb") as handle:
            try:
                return read_eam(handle, pair_style)
            except ValueError as error:
                raise ValueError(f"'{given}' is {error}") from error

    def _hash_file(self) -> str:
        with self.open(mode="rb") as handle:
            return _hash_stream(handle)


def pair_style_of(path: str | Path) -> str:
    """Return the pair style that the suffix of a file stands for.

    :raises ValueError: if it is none of a DeePMD model that LAMMPS can run, or of an EAM file.
    """
    suffix = Path(path).suffix
    if is_unfrozen(Path(path).name):
        raise ValueError(no_model(Path(path).name))
    if suffix in DEEPMD_SUFFIXES:
        return DEEPMD
    try:
        return guess_pair_style(Path(path).name)
    except ValueError as error:
        raise ValueError(f"{error}; a DeePMD model ends in {', '.join(DEEPMD_SUFFIXES)}") from error


def is_unfrozen(name: str) -> bool:
    """Return whether a name is that of a DeePMD model in a form that LAMMPS does not open."""
    return Path(name).suffix.lower() in _OTHER_SUFFIXES


def no_model(name: str) -> str:
    """Return in words why a file is no DeePMD model that LAMMPS can run, by its suffix, and what to do."""
    suffixes = ", ".join(DEEPMD_SUFFIXES)
    if is_unfrozen(name):
        return (
            f"'{name}' is no frozen DeePMD model in one file ({suffixes}), as LAMMPS needs it: freeze a checkpoint by "
            "`dp freeze` (`dp --pt freeze` for PyTorch), or convert a model by `dp convert-backend`"
        )
    return f"the file is '{name}', a DeePMD model in it ends in {suffixes}"


def checksum(path: str | Path) -> str:
    """Return the SHA-256 of a file, as the attribute of its node has it.

    :raises OSError: if the file cannot be read.
    """
    with Path(path).open("rb") as handle:
        return _hash_stream(handle)


def _hash_stream(handle: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := handle.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _format(filename: str, pair_style: str) -> str:
    if pair_style == DEEPMD:
        return Path(filename).suffix[1:]
    return "funcfl" if pair_style == "eam" else "setfl"


def _safe_filename(name: str, pair_style: str) -> str:
    """Return a name that is one word to a shell and LAMMPS, and by its suffix no other file of a job.

    DeePMD-kit and LAMMPS choose the backend of a model by its suffix, so that one has to be there.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)[-MAX_FILENAME_LENGTH:].lstrip("._-")
    if pair_style == DEEPMD:
        if Path(safe).suffix not in DEEPMD_SUFFIXES:
            raise ValueError(no_model(name))
        return safe
    suffix = "." + pair_style.replace("/", ".")
    return safe if safe.endswith(suffix) else f"{safe}{suffix}"
