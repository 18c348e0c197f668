"""The record of a check."""

from __future__ import annotations

from dataclasses import dataclass

UP = "run `aiida-dnpmelt services up`"


@dataclass(frozen=True)
class Check:
    """What was looked at, whether it is in order, what was found, and what to do about it if it is not.

    :param applies: false where there was nothing to look at, which is no fault.
    """

    name: str
    ok: bool
    message: str
    remedy: str = ""
    applies: bool = True
