from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from aiida_dnpmelt.provenance import archives
from aiida_dnpmelt.provenance.archives import is_archive, is_pointer, unpack


def make(path: Path, members: dict[str, bytes], more: list[tarfile.TarInfo] = ()) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in more:
            tar.addfile(info)
    return path


def names(folder: Path) -> set[str]:
    return {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()}


def test_what_can_be_read_is_unpacked_and_a_potcar_is_not(tmp_path):
    content = dict.fromkeys(("a/vasprun.xml", "a/POTCAR", "a/WAVECAR", "b/set.000/coord.npy", "b/type.raw"), b"x")
    archive = make(tmp_path / "Al.tar.gz", content)
    assert unpack(archive, tmp_path / "to") == ""
    assert names(tmp_path / "to") == {"a/vasprun.xml", "b/set.000/coord.npy", "b/type.raw"}


@pytest.mark.parametrize("name", ["../vasprun.xml", "/tmp/dnpmelt-outside/vasprun.xml", "a/../../vasprun.xml"])
def test_nothing_is_written_outside(tmp_path, name):
    folder = tmp_path / "deep" / "to"
    folder.mkdir(parents=True)
    archive = make(tmp_path / "bad.tar.gz", {"a/OUTCAR": b"x", name: b"x"})
    flaw = unpack(archive, folder)
    inside = names(folder)
    assert names(tmp_path) == {"bad.tar.gz", *(f"deep/to/{each}" for each in inside)}
    assert not Path("/tmp/dnpmelt-outside").exists()
    assert "a/OUTCAR" in inside
    assert flaw or len(inside) == 2, "it is refused, or put inside"


def test_links_are_not_made(tmp_path):
    link = tarfile.TarInfo("a/OUTCAR")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    archive = make(tmp_path / "bad.tar.gz", {"a/POSCAR": b"x"}, [link])
    assert unpack(archive, tmp_path / "to") == ""
    assert names(tmp_path / "to") == {"a/POSCAR"}


def test_cut_archive_gives_what_came_before_the_cut(tmp_path):
    random = bytes(range(256)) * 400
    archive = make(tmp_path / "whole.tar.gz", {f"{name}/OUTCAR": random[name:] + random[:name] for name in range(9)})
    whole = archive.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 20):
        (tmp_path / "cut.tar.gz").write_bytes(whole[:size])
        folder = tmp_path / str(size)
        assert "it cannot be read to its end" in unpack(tmp_path / "cut.tar.gz", folder)
        assert len(names(folder)) < 9 or size > 100
    assert "cannot be read" in unpack(make_no_archive(tmp_path), tmp_path / "none")


def make_no_archive(folder: Path) -> Path:
    path = folder / "no.tar"
    path.write_text("no archive at all")
    return path


def test_archive_that_is_too_large_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_BYTES", 1000)
    archive = make(tmp_path / "Al.tar.gz", {"a/OUTCAR": b"x" * 800, "b/OUTCAR": b"x" * 800})
    assert "the rest was left out" in unpack(archive, tmp_path / "to")
    assert names(tmp_path / "to") == {"a/OUTCAR"}


def test_names_and_pointers(tmp_path):
    assert is_archive(Path("Al_TPC.tar.gz"))
    assert not is_archive(Path("Al.zip"))
    (tmp_path / "a").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    (tmp_path / "b").write_bytes(b"")
    assert is_pointer(tmp_path / "a")
    assert not is_pointer(tmp_path / "b")
