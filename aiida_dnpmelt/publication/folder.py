"""Write the folder of a publication: beside its place first, and under its name when it is whole."""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiida_dnpmelt.data.potential import checksum
from aiida_dnpmelt.publication.anonymise import anonymise
from aiida_dnpmelt.publication.archive import (
    check_archive,
    delete_nodes,
    opened,
    rewrite,
    words_in_database,
    write_archive,
)
from aiida_dnpmelt.publication.citation import Description, citation_cff, references_bib
from aiida_dnpmelt.publication.contents import read_contents
from aiida_dnpmelt.publication.crate import write_crate
from aiida_dnpmelt.publication.gate import check_licences, refusals
from aiida_dnpmelt.publication.pages import write_pages, write_pictures
from aiida_dnpmelt.publication.plan import Plan, check_size, write_traces
from aiida_dnpmelt.publication.points import check_points
from aiida_dnpmelt.publication.readme import readme
from aiida_dnpmelt.publication.references import references
from aiida_dnpmelt.publication.slim import by_kind, write_left_out
from aiida_dnpmelt.publication.streams import Search, scan
from aiida_dnpmelt.publication.tables import points_in, write_tables
from aiida_dnpmelt.publication.traces import Names, anonymous_text, anonymous_words

SUMS = "SHA256SUMS"
CRATE = "ro-crate-metadata.json"
LEFT_OUT = "left_out.csv"
LEFT_IN_PLACE = "names_left.csv"
_PARTIAL, _REPLACED = ".partial-", "-replaced"
"""What the names of folders beside a publication that is being written have in them."""
_UNSAFE = re.compile(r"[^\w.+-]", re.ASCII)
"""Characters of a folder's name that do not go into that of its archive, which stands in commands and addresses."""
_AUTHORED = ("CITATION.cff", "README.md", CRATE)
"""Files that name the authors, who asked for it."""
_PICTURES = (".html", ".svg")
"""Suffixes of texts that hold pictures, which look like paths in places."""
_TEXTS = (*_PICTURES, ".bib", ".cff", ".csv", ".json", ".md")


@dataclass
class Written:
    """What was written.

    :param files: what is in each file, in words.
    :param size: bytes of all of them.
    :param remarks: what there is to say of it.
    :param named: files that still name somebody, a machine or a folder, with the words.
    """

    files: dict[str, str] = field(default_factory=dict)
    size: int = 0
    remarks: list[str] = field(default_factory=list)
    named: list[tuple[str, list[str]]] = field(default_factory=list)


def check_folder(path: Path, force: bool) -> None:
    """Look whether a folder can be written.

    :param force: a publication that is there may be replaced, but nothing else.
    :raises ValueError: if it cannot.
    """
    if path == Path.cwd():
        raise ValueError("-o: it cannot be the folder that you are in, which is to be made: name another one")
    if not path.parent.is_dir():
        raise ValueError(f"-o: there is no folder '{path.parent}' in which '{path.name}' could be made")
    if (cut := _replaced(path)) and not path.exists():
        raise ValueError(
            f"-o: the publication that was '{path}' is at '{cut}', since its replacement was cut off: move it back, or "
            "remove it"
        )
    if path.exists() and not path.is_dir():
        raise ValueError(f"-o: '{path}' is a file, it must be a folder that is to be made")
    if not path.exists() or not any(path.iterdir()):
        return
    if not force:
        raise ValueError(f"-o: '{path}' is not empty: choose another folder, or replace a publication by --force")
    strange = _strangers(path)
    if strange:
        raise ValueError(f"-o: '{path}' holds '{strange[0]}', which is of no publication: --force replaces only those")


def _strangers(path: Path) -> list[str]:
    """Return the files of a folder that its checksums do not name."""
    sums = path / SUMS
    lines = sums.read_text(encoding="utf-8").splitlines() if sums.is_file() else []
    known = {SUMS, *(line.partition("  ")[2] for line in lines)}
    return sorted({file.relative_to(path).as_posix() for file in path.rglob("*") if not file.is_dir()} - known)


def write_publication(plan: Plan, description: Description, path: Path, anonymous: bool = False) -> Written:
    """Write the folder of a publication.

    :param anonymous: leave out what names people, machines and folders, where the format of archives allows.
    :raises ValueError: if the archive is not what it should be, or too large.
    :raises LicenceError: if a file of the archive may not be published.
    :raises OSError: if it cannot be written.
    :raises ImportError: without the extra ``[publish]``.
    """
    free = shutil.disk_usage(path.parent).free
    if free < 2 * plan.size:
        raise ValueError(f"'{path.parent}' has {free / 1e9:.1f} GB left, {2 * plan.size / 1e9:.1f} GB are needed")
    with _beside(path) as folder:
        return _Writer(plan, description, folder, path.name, anonymous).write()


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Give a folder beside a path, which takes its place in the end; if something fails, all is as it was before."""
    place = Path(tempfile.mkdtemp(prefix=f".{path.name}{_PARTIAL}", dir=path.parent))
    try:
        yield place
        place.chmod(0o755)
        _replace(place, path)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _replace(place: Path, path: Path) -> None:
    """Put a folder in the place of another one, or leave that where it is.

    :raises OSError: if it cannot be done; it says where the other one is if that could not be put back.
    """
    old = place.with_name(f"{place.name}{_REPLACED}")
    if path.exists():
        path.rename(old)
    try:
        place.rename(path)
    except BaseException:
        if old.exists():
            _put_back(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _put_back(old: Path, path: Path) -> None:
    try:
        old.rename(path)
    except OSError as error:
        raise OSError(f"'{path}' could not be replaced, and what was there is at '{old}' now: {error}") from error


def _replaced(path: Path) -> Path | None:
    """Return an earlier publication of a name that was moved aside and never put back, None if there is none."""
    found = (each for each in path.parent.iterdir() if each.name.startswith(f".{path.name}{_PARTIAL}"))
    return next((each for each in found if each.name.endswith(_REPLACED)), None)


class _Writer:
    """A publication that is being written."""

    def __init__(self, plan: Plan, description: Description, folder: Path, name: str, anonymous: bool) -> None:
        self.plan, self.description, self.folder, self.anonymous = plan, description, folder, anonymous
        self.archive = folder / f"{_UNSAFE.sub('_', name)}.aiida"
        self.points = points_in(plan.selection.pks)
        self.done = Written()

    def write(self) -> Written:
        """Write all files, those that name others last."""
        files, selection = self.done.files, self.plan.selection
        self._write_archive()
        files[self.archive.name] = "AiiDA archive: results, inputs, jobs and their files, with the links between them"
        self._check_archive()
        for name in write_tables(selection, self.folder):
            files[name] = "table of results, one line each; the units are in the names of the columns"
        for name in write_pages(selection, self.folder):
            files[name] = "page of a work chain, for a browser: numbers, figures, costs, versions"
        for name in write_pictures(selection, self.folder):
            files[name] = "picture of a result"
        self._write_gaps()
        cited = references(selection.pks)
        self._text("CITATION.cff", citation_cff(self.description, cited), "how to cite these data")
        self._text("references.bib", references_bib(cited), "what was used, and is to be cited, too")
        files["README.md"] = "what is in here, and how to open it"
        files[CRATE] = (
            "description for machines: Provenance Run Crate 0.5, an RO-Crate; its workflows are in `workflows/`"
        )
        files[SUMS] = "checksums"
        about = readme(self.description, self.archive.name, files, self.points, self.done.remarks)
        (self.folder / "README.md").write_text(about, encoding="utf-8")
        known = {name: text for name, text in files.items() if name != CRATE}
        write_crate(self.folder, selection.roots, self.description, known, cited)
        if self.anonymous:
            self._anonymise_texts()
            self._look_for_names()
        _write_sums(self.folder)
        self.done.size = sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())
        return self.done

    def _text(self, name: str, text: str, what: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")
        self.done.files[name] = what

    def _write_archive(self) -> None:
        """Write the archive, and change it: the profile stays as it is."""
        write_archive(self.plan.selection, self.archive, remarks=not self.anonymous)
        gone = {row.node.pk for row in self.plan.gone}

        def change(connection: sqlite3.Connection) -> None:
            delete_nodes(connection, gone)
            if self.anonymous:
                anonymise(connection, self.plan.names)

        if gone or self.anonymous:
            rewrite(self.archive, change)

    def _check_archive(self) -> None:
        """Look whether the archive is whole, may be published, and says what the profile says."""
        nodes = check_archive(self.archive)
        with opened(self.archive) as backend:
            contents = read_contents(backend, nodes, self.plan.words if self.anonymous else ())
            check_licences(self.archive.name, refusals(backend, nodes, contents))
            check_points(backend, self.points, self.plan.names if self.anonymous else None)
        advice = check_size(self.archive.stat().st_size)
        if advice:
            self.done.remarks.append(advice[0].upper() + advice[1:] + ".")
        if not self.anonymous:
            return
        left = "In none of them was a name found that the database holds."
        if number := write_traces(nodes, contents, self.plan.words, self.folder / LEFT_IN_PLACE):
            self.done.files[LEFT_IN_PLACE] = "files of nodes that name a person, a machine or a folder; not whom"
            left = f"{number} of them still hold such names: `{LEFT_IN_PLACE}` lists them."
        self.done.remarks.append(
            "Names of people, machines and folders were taken out of the database of the archive, and the scripts of "
            f"jobs, comments and logs were left out. Files of nodes are as they were. {left}"
        )
        for node in nodes:
            for file, key in node.files.items():
                if contents[key].found:
                    self.done.named.append((f"node {node.uuid}, {file}", sorted(contents[key].found)))
        for word, table in words_in_database(self.archive, self.plan.names.words):
            self.done.named.append((f"{self.archive.name}, table {table}", [word]))

    def _write_gaps(self) -> None:
        """Write what was left out."""
        if self.plan.selection.running:
            self.done.remarks.append(
                f"{len(self.plan.selection.running)} work chains that called some of these had not ended: they are not "
                "in it, nor is any other caller of what is in it."
            )
        if not self.plan.gone:
            return
        write_left_out(self.plan.gone, self.folder / LEFT_OUT)
        self.done.files[LEFT_OUT] = "nodes that were left out, with checksums, so that each can be recognised"
        told = ", ".join(f"{number} {kind} ({size / 1e6:.1f} MB)" for kind, number, size in by_kind(self.plan.gone))
        self.done.remarks.append(
            f"This is a slim archive. Nodes with bulky files were left out as a whole: {told}. `{LEFT_OUT}` names each "
            "of them, and the process that made it. Results, settings and all processes are there; what was left out "
            "cannot be read, and its links are missing."
        )

    def _anonymise_texts(self) -> None:
        for file in self.folder.iterdir():
            if file.suffix in _TEXTS:
                self._anonymise_file(file)

    def _anonymise_file(self, file: Path) -> None:
        """Replace names in a text; those of the authors stay where they stand as such."""
        spared = self._authors() if file.name in _AUTHORED else set()
        names = Names({w: kind for w, kind in self.plan.names.replaced.items() if w not in spared}, {})
        old = file.read_text(encoding="utf-8")
        new = anonymous_words(old, names) if file.suffix in _PICTURES else anonymous_text(old, names)
        if new != old:
            file.write_text(new, encoding="utf-8")

    def _authors(self) -> set[str]:
        words = self.plan.names.words
        return {word for word in words if any(word in author.name for author in self.description.authors)}

    def _look_for_names(self) -> None:
        """Look for names in all files but the archive, which was searched before."""
        for file in sorted(self.folder.rglob("*")):
            if not file.is_file() or file == self.archive:
                continue
            spared = self._authors() if file.name in _AUTHORED else set()
            search = Search(set(self.plan.words) - spared)
            with file.open("rb") as handle:
                scan(handle, [search])
            if search.found:
                self.done.named.append((file.relative_to(self.folder).as_posix(), sorted(search.found)))


def _write_sums(folder: Path) -> None:
    """Write the checksums of all files of a folder, for `sha256sum -c`."""
    lines = []
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            lines.append(f"{checksum(file)}  {file.relative_to(folder).as_posix()}\n")
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
