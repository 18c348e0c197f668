"""Configuration of Sphinx. Nothing is fetched: `make docs` works without a network."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from atexit import register
from pathlib import Path

# The folder of AiiDA is chosen when `aiida` is imported: the build must not make one in somebody's home.
_private = tempfile.mkdtemp(prefix="dnpmelt-docs-")
register(shutil.rmtree, _private, ignore_errors=True)
os.environ["AIIDA_PATH"] = _private
(Path(_private) / ".aiida").mkdir()
sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from aiida_dnpmelt import __version__  # noqa: E402

project = "aiida-dnpmelt"
author = "The aiida-dnpmelt developers"
copyright = author
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "dnpmelt_reference"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"aiida-dnpmelt {release}"
