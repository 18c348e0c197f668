"""Text that comes from somebody else, for a terminal."""

from __future__ import annotations


def plain(text: str) -> str:
    """Return text as a terminal can show it and nothing else: control characters are written out as in Python.

    Labels and descriptions of an archive may hold some that move the cursor, or write over what was printed before.
    """
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)
