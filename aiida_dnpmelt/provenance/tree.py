"""Walk through a folder that others have left: no link leads out of it, and none is followed twice."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_ASIDE = ".git"


@dataclass
class Tree:
    """What a folder holds.

    :param folders: the folder itself and all below it, each once, in the order of names.
    :param files: in these folders, in the order of names; links to files within the folder are among them.
    :param left: what was not looked at, and why, in words: links that lead out of the folder or nowhere, and folders
        that cannot be read.
    """

    folders: list[Path] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    left: dict[Path, str] = field(default_factory=dict)


def walk(root: Path, wanted: Callable[[str], bool]) -> Tree:
    """Return what is in a folder.

    Links to folders within it are not followed: what they lead to is found where it is. What git keeps is left out.

    :param wanted: tells by the name of a file whether a link to it is worth a word.
    """
    tree, inside = Tree(), root.resolve()

    def fail(error: OSError) -> None:
        tree.left[Path(error.filename)] = f"a folder that cannot be read: {error.strerror}"

    for name, folders, files in os.walk(root, onerror=fail):
        here = Path(name)
        tree.folders.append(here)
        folders[:] = [each for each in folders if each != _ASIDE]
        for each in (here / name for name in (*folders, *files)):
            if each.is_symlink() and (words := _astray(each, inside)):
                if wanted(each.name) or _like_a_folder(each):
                    tree.left[each] = words
            elif each.is_file():
                tree.files.append(each)
    return Tree(sorted(tree.folders), sorted(tree.files), dict(sorted(tree.left.items())))


def _astray(link: Path, inside: Path) -> str:
    """Return in words where a link leads if it is out of the folder, or nowhere; empty if it stays in it."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):  # nothing is there, or the link leads to itself
        return f"a link that leads nowhere, to {link.readlink()}"
    return "" if target.is_relative_to(inside) else f"a link out of the folder, not followed: give {target} itself"


def _like_a_folder(link: Path) -> bool:
    """Return whether a link leads to a folder, or else has a name as one: `iter.000001`, not `INCAR`."""
    if link.exists():
        return link.is_dir()
    return not link.name.isupper() and (not link.suffix or link.suffix[1:].isdigit())
