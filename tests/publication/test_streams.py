from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest

from aiida_dnpmelt.publication import streams
from aiida_dnpmelt.publication.streams import CHUNK_BYTES, Search, scan

WORD = "the word"


def tarred(text: bytes) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        member = tarfile.TarInfo("file")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    return whole.getvalue()


def zipped(text: bytes) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("file", text)
    return whole.getvalue()


def found(content: bytes) -> bool:
    search = Search([WORD, "another"])
    assert scan(io.BytesIO(content), [search]) == len(content)
    assert search.found <= {WORD}
    return WORD in search.found


@pytest.mark.parametrize(
    "pack",
    [bytes, gzip.compress, bz2.compress, lzma.compress, tarred, zipped, lambda text: gzip.compress(zipped(text))],
)
def test_words_are_found_also_in_what_is_packed(pack):
    assert found(pack(f"before {WORD} after".encode()))
    assert not found(pack(b"before and after"))


def test_word_across_two_pieces_is_found():
    assert found(b"x" * (CHUNK_BYTES - 3) + WORD.encode())


def test_cut_archive_is_read_as_far_as_it_goes():
    assert found(gzip.compress(WORD.encode() + b" " * 100)[:-4])
    assert not found(b"\x1f\x8b no archive at all")
    assert not found(b"")


def test_packed_file_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(streams, "LARGEST_BYTES", 1000)
    with pytest.raises(ValueError, match="holds more than"):
        scan(io.BytesIO(gzip.compress(bytes(2000))), [Search([WORD])])
