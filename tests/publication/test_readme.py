from __future__ import annotations

from datetime import date

from aiida_dnpmelt.publication.citation import Author, Description
from aiida_dnpmelt.publication.readme import readme


def test_texts_of_others_stay_in_their_cells():
    described = Description("A | title\n# another", (Author("<b>Ada</b>"),), "MIT", date(2026, 11, 26))
    text = readme(described, "cu.aiida", {"cu.aiida": "the archive | of it"}, [], ["It is slim."])
    assert text.startswith("# A \\| title # another\n\n&lt;b>Ada&lt;/b>, 2026. Licence: MIT.")
    assert "| `cu.aiida` | the archive \\| of it |" in text
    assert "## What to know of it\n\nIt is slim.\n" in text
    assert "$ verdi archive import cu.aiida\n" in text


def test_without_remarks_there_is_no_section_for_them():
    described = Description("Title", (), "MIT", date(2026, 11, 26))
    text = readme(described, "cu.aiida", {}, [], [])
    assert "What to know" not in text
    assert "\nanonymous, 2026." in text
