from __future__ import annotations

from aiida_dnpmelt.provenance.clones import git_origin, licence_of


def test_origin_is_remote_and_commit(tmp_path):
    git = tmp_path / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "config").write_text('[core]\n\tbare = false\n[remote "origin"]\n\turl = https://example.org/a/b.git\n')
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert git_origin(tmp_path) == "https://example.org/a/b"
    (git / "packed-refs").write_text("# pack\n0123456789abcdef refs/heads/main\n")
    assert git_origin(tmp_path) == "https://example.org/a/b@0123456789ab"
    (git / "refs" / "heads" / "main").write_text("fedcba9876543210\n")
    assert git_origin(tmp_path) == "https://example.org/a/b@fedcba987654"
    (git / "HEAD").write_text("ref: ../../../../etc/passwd\n")
    assert git_origin(tmp_path) == "https://example.org/a/b"
    assert git_origin(tmp_path / "elsewhere") == ""


def test_licence_is_the_first_line_of_its_file(tmp_path):
    assert licence_of(tmp_path) == ""
    (tmp_path / "LICENSE.md").write_text("\n# GNU General Public License\n\nText\n")
    assert licence_of(tmp_path) == "GNU General Public License"
