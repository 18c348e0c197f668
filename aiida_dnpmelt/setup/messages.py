"""What programs and libraries say when something fails, as one sentence."""

from __future__ import annotations

import re

_BACKGROUND = re.compile(r"^\(?Background on this error at: \S+$")
_DRIVER = re.compile(r"\(psycopg\.(?:errors\.)?\w+\) ")
_ENDS = tuple(".:;,?!")


def sentence(error: object) -> str:
    """Return a message as one line: that of a database has several, indented by tabs, with addresses of manuals."""
    lines = (" ".join(line.split()) for line in str(error).splitlines())
    kept = [_DRIVER.sub("", line) for line in lines if line and not _BACKGROUND.match(line)]
    ended = [line if line.endswith(_ENDS) else f"{line}." for line in kept[:-1]]
    return " ".join([*ended, *kept[-1:]]).rstrip(".")
