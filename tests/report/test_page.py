from __future__ import annotations

from pathlib import Path

from report.stored_melting import melting_chain

from aiida_dnpmelt.report.page import write_html


def test_whole(aiida_localhost):
    chain = melting_chain(aiida_localhost)
    Path("/tmp/w/c/whole.html").write_text(write_html(chain))
    Path("/tmp/w/c/learning.html").write_text(write_html(melting_chain(aiida_localhost, "learning")))
    Path("/tmp/w/c/coex.html").write_text(write_html(melting_chain(aiida_localhost, "coexistence")))
