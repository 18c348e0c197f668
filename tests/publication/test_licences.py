from __future__ import annotations

import pytest

from aiida_dnpmelt.publication.licences import spdx_name


@pytest.mark.parametrize(("text", "name"), [("cc-by-4.0", "CC-BY-4.0"), ("CC0-1.0", "CC0-1.0"), ("mit", "MIT")])
def test_names_are_those_of_spdx(text, name):
    assert spdx_name(text) == name


@pytest.mark.parametrize("text", ["", "CC BY", "mine", "MIT OR Apache-2.0", "MIT\nGPL"])
def test_other_names_are_refused(text):
    with pytest.raises(ValueError, match="is no licence of"):
        spdx_name(text)
