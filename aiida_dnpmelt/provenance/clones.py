"""What a clone of a repository says of itself: where it comes from, and its licence. Runs no git."""

from __future__ import annotations

import configparser
from pathlib import Path


def git_origin(path: Path) -> str:
    """Return remote and commit of a clone, as far as its files tell them; empty for another folder."""
    config = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        config.read_string(_unindented(text_of(path / ".git" / "config") or ""))
        url = config.get('remote "origin"', "url", fallback="")
    except configparser.Error:
        url = ""
    head = (text_of(path / ".git" / "HEAD") or "").strip()
    if head.startswith("ref: "):
        reference = head.removeprefix("ref: ")
        packed = (text_of(path / ".git" / "packed-refs") or "").splitlines()
        loose = path / ".git" / reference
        inside = loose.resolve().is_relative_to((path / ".git").resolve())
        head = ((text_of(loose) if inside else None) or "").strip() or next(
            (line.split()[0] for line in packed if line.endswith(f" {reference}")), ""
        )
    return "@".join(filter(None, [url.removesuffix(".git"), head[:12]]))


def _unindented(text: str) -> str:
    """Return the configuration of git as `configparser` reads it: there, an indent goes on with the line before."""
    return "\n".join(line.strip() for line in text.splitlines())


def licence_of(path: Path) -> str:
    """Return the first line of the licence, empty without one."""
    for name in ("LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "COPYING"):
        lines = [line.strip(" #") for line in (text_of(path / name) or "").splitlines() if line.strip()]
        if lines:
            return lines[0]
    return ""


def text_of(path: Path) -> str | None:
    """Return the text of a file, whatever bytes are in it; None if there is no such file, or it cannot be read."""
    content = bytes_of(path)
    return None if content is None else content.decode(errors="replace")


def bytes_of(path: Path) -> bytes | None:
    """Return the content of a file; None if there is no such file, or it cannot be read."""
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None
