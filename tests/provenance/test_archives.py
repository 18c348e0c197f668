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
    used = {
        "a/vasprun.xml",
        "c/OUTCAR.gz",
        "b/set.000/coord.npy",
        "b/set.000/real_atom_types.npy",
        "b/type.raw",
        "b/nopbc",
    }
    archive = make(tmp_path / "Al.tar.gz", dict.fromkeys([*used, "a/POTCAR", "a/POTCAR.gz", "a/WAVECAR"], b"x"))
    assert unpack(archive, tmp_path / "to") == ""
    assert names(tmp_path / "to") == used


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
    assert unpack(archive, tmp_path / "to") == "1 link in it not followed, as a/OUTCAR to /etc/passwd"
    assert names(tmp_path / "to") == {"a/POSCAR"}


@pytest.mark.parametrize(
    ("name", "target", "told"),
    [
        ("data.iters/iter.000000", "/home/somebody/iter.000000", True),
        ("data.iters/iter.000000", "../../iter.000000", True),
        ("data.iters/iter.000000", "../iter.000000", False),  # in the archive, and found there
        ("lib/libx.so", "libx.so.1", False),
        ("a/vasprun.xml", "../store/run_7", True),
    ],
)
def test_links_that_may_lose_something_are_told(tmp_path, name, target, told):
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, target
    flaw = unpack(make(tmp_path / "a.tar.gz", {"b/OUTCAR": b"x"}, [link]), tmp_path / "to")
    assert flaw == (f"1 link in it not followed, as {name} to {target}" if told else "")


def test_file_that_is_in_the_archive_once_has_both_its_names(tmp_path):
    link = tarfile.TarInfo("b/set.000/box.npy")
    link.type, link.linkname = tarfile.LNKTYPE, "a/set.000/box.npy"
    secret = tarfile.TarInfo("c/OUTCAR")
    secret.type, secret.linkname = tarfile.LNKTYPE, "a/POTCAR"
    content = {"a/set.000/box.npy": b"box", "a/POTCAR": b"licensed"}
    assert unpack(make(tmp_path / "a.tar.gz", content, [link, secret]), tmp_path / "to") == ""
    assert names(tmp_path / "to") == {"a/set.000/box.npy", "b/set.000/box.npy"}
    assert (tmp_path / "to" / "b/set.000/box.npy").read_bytes() == b"box"


def test_no_message_names_the_temporary_folder(tmp_path):
    archive = make(tmp_path / "a.tar.gz", {"a/OUTCAR": b"x", "a/OUTCAR/type.raw": b"0"})
    assert str(tmp_path) not in unpack(archive, tmp_path / "to")


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
