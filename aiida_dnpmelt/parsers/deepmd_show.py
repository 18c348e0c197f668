"""Make a potential of what `dp show` says about a model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_dnpmelt.calculations.deepmd_job import VERSION_FILE
from aiida_dnpmelt.calculations.deepmd_show import ERROR_FILE, LOG_FILE
from aiida_dnpmelt.data.potential import DEEPMD, PotentialData
from aiida_dnpmelt.parsers.deepmd_job import DeepmdParser
from aiida_dnpmelt.parsers.training_files import MAX_REASON_LENGTH, read_version
from aiida_dnpmelt.parsers.training_record import training_record

_MULTITASK = re.compile(r"This is a multitask model")
_TYPE_MAP = re.compile(r"The type_map is \[(.*)\]")
_DESCRIPTOR = re.compile(r"The descriptor parameter is (\{.*\})")
_NO_DESCRIPTOR = re.compile(r"Descriptor parameters not available")
_QUOTED = re.compile(r"['\"]([^'\"]*)['\"]")
_TYPE = re.compile(r"'type': '(\w+)'")
# Descriptors of several parts have one each, under names as `e_rcut`; the neighbour list needs the largest.
_CUTOFF = re.compile(r"'(?:\w+_)?rcut': (\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)")
# What is written where there is no GPU holds "Error" and "failed", too, but not as the name of an exception.
_EXCEPTION = re.compile(r"^(?:\w+\.)*(\w*(?:Error|Exception|NotFound)): .*$", re.MULTILINE)
_NO_BACKEND = ("ModuleNotFoundError", "ImportError")


@dataclass(frozen=True)
class Description:
    """What `dp show` printed of a model: chemical symbols, and the descriptor as text."""

    type_map: list[str]
    descriptor: str

    @property
    def cutoff(self) -> float | None:
        """Return the largest cutoff of the descriptor in Angstrom, None if it has none."""
        return max(map(float, _CUTOFF.findall(self.descriptor)), default=None)

    @property
    def descriptor_type(self) -> str:
        """Return the name of the descriptor, as `se_e2_a` or `hybrid`."""
        found = _TYPE.search(self.descriptor)
        return found[1] if found else ""


class OtherTrainingError(ValueError):
    """What is said of a training is not that of the model."""


def read_log(text: str) -> Description | None:
    """Return what the log of `dp show` says of the model, None if it ends before that."""
    type_map, descriptor = _TYPE_MAP.search(text), _DESCRIPTOR.search(text)
    if type_map is None or not (descriptor or _NO_DESCRIPTOR.search(text)):
        return None
    return Description(_QUOTED.findall(type_map[1]), descriptor[1] if descriptor else "")


class DeepmdShowParser(DeepmdParser):
    """Parser of `DeepmdShowCalculation`."""

    def parse(self, **_: Any) -> ExitCode | None:
        """Store the potential, or return why there is none."""
        version = read_version(self.read(VERSION_FILE))
        log, errors = self.read(LOG_FILE), self.read(ERROR_FILE)
        if version is None:
            return self.no_output(errors)
        if _MULTITASK.search(log):
            return self.exit_codes.ERROR_MULTITASK_MODEL
        description = read_log(log)
        if description is None:
            return self._failure(errors)
        if description.cutoff is None:
            return self.exit_codes.ERROR_NO_CUTOFF
        try:
            self.out("potential", self._potential(description))
        except ValueError as error:
            code = "ERROR_OTHER_TRAINING" if isinstance(error, OtherTrainingError) else "ERROR_NOT_A_POTENTIAL"
            return self.exit_codes[code].format(reason=error)
        information = {
            "deepmd_version": version,
            "type_map": description.type_map,
            "cutoff": description.cutoff,
            "descriptor_type": description.descriptor_type,
            "descriptor": description.descriptor,
        }
        self.out("information", orm.Dict(information))
        return None

    def _training(self, type_map: list[str]) -> dict[str, Any] | None:
        """Return what is known of the training of the model, None if nothing was given.

        :raises OtherTrainingError: if it is that of another model.
        """
        inputs = self.inputs
        if not {"training_settings", "learning_curve"} & set(inputs):
            return None
        settings = inputs.training_settings.get_content(mode="rb") if "training_settings" in inputs else None
        curve = inputs.learning_curve.get_content(mode="rb") if "learning_curve" in inputs else b""
        beside = {"models_beside": inputs.models_beside.value} if "models_beside" in inputs else {}
        record = training_record(settings, curve.decode(errors="replace").splitlines(keepends=True))
        if record["type_map"] not in (None, type_map):
            raise OtherTrainingError(f"its type map is {record['type_map']}, that of the model {type_map}")
        if record["flaw"]:
            record["flaw"] = f"{inputs.training_settings.filename} beside it {record['flaw']}"
        return {**record, **beside}

    def _potential(self, description: Description) -> PotentialData:
        inputs, training = self.inputs, self._training(description.type_map)
        with inputs.model.open(mode="rb") as handle:
            potential = PotentialData(
                handle,
                inputs.model.filename,
                pair_style=DEEPMD,
                type_map=description.type_map,
                cutoff=description.cutoff,
                origin=inputs.origin.value if "origin" in inputs else "",
                licence=inputs.licence.value if "licence" in inputs else "",
                label=inputs.model.label,
            )
        if training is not None:
            potential.base.attributes.set("training", training)
        return potential

    def _failure(self, errors: str) -> ExitCode:
        found = list(_EXCEPTION.finditer(errors))
        if not found:
            return self.exit_codes.ERROR_OUTPUT_INCOMPLETE
        code = "ERROR_BACKEND_MISSING" if found[-1][1] in _NO_BACKEND else "ERROR_NOT_A_MODEL"
        return self.exit_codes[code].format(reason=found[-1][0][:MAX_REASON_LENGTH])
