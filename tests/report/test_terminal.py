from __future__ import annotations

import pytest

from aiida_dnpmelt.report.terminal import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("T_m = 1333(5) K\n−11(2) K │ Å", "T_m = 1333(5) K\n−11(2) K │ Å"),
        ("\x1b[2Jcu", "\\x1b[2Jcu"),
        ("a\rb\tc\x07\x9b", "a\\rb\\tc\\x07\\x9b"),
        ("right\u202eleft", "right\\u202eleft"),
        ("\\x1b", "\\x1b"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text, shown):
    assert plain(text) == shown
