"""Tell the files of VASP's pseudopotentials, which its licence forbids to pass on."""

from __future__ import annotations

import re

MARKERS = (b"parameters from PSCTR are:", b"END of PSCTR-controll parameters", b"End of Dataset")
"""Lines of every POTCAR that no other file of VASP holds: an OUTCAR repeats the names and the headers only."""
_NAME = re.compile(r"POTCAR([._-].*)?", re.IGNORECASE)
_BEGIN = re.compile(rb"\s*(PAW_PBE|PAW_GGA|PAW_LDA|PAW|US|NC)\s+[A-Z][a-z]?\w*(\s+\w+)?\s*\n\s*\d+\.\d+\s*\n")
"""A title, and the number of valence electrons alone on a line."""
FILE_TYPE = "data.vasp.potcar_file."
"""Beginning of the node type of `PotcarFileData`, whose file is a POTCAR; `PotcarData` has a hash only."""


class PotcarSearch:
    """Watch for the text of a POTCAR; `reason` says what it was told by."""

    def __init__(self) -> None:
        self.reason = ""

    def look(self, piece: bytes, first: bool) -> None:
        """Look at a piece of a file."""
        if self.reason:
            return
        marker = next((marker for marker in MARKERS if marker in piece), None)
        if marker is not None:
            self.reason = f"holds '{marker.decode()}'"
        elif first and _BEGIN.match(piece[:256]):
            self.reason = "begins as a POTCAR does"


def is_potcar_name(path: str) -> bool:
    """Return whether a file is called POTCAR, POTCAR.gz, POTCAR_Cu or the like."""
    return _NAME.fullmatch(path.rpartition("/")[2]) is not None


def holds_potcar(text: str) -> bool:
    """Return whether a text is or holds that of a POTCAR."""
    return any(marker.decode() in text for marker in MARKERS)
