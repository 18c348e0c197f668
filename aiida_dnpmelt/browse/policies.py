"""What a browser may do with a page: content security policies. All of them forbid to load anything from elsewhere."""

from __future__ import annotations

_BASE = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; img-src data:; "

PLAIN = f"{_BASE}style-src 'self'; form-action 'self'"
"""Of a page without scripts."""
CHARTS = f"{_BASE}script-src 'self'; style-src 'self' 'unsafe-inline'; form-action 'self'"
"""Of a page with charts, which the scripts of this server draw; plotly adds elements and attributes of style."""
PICTURE = f"{_BASE}style-src 'self' 'unsafe-inline'; form-action 'self'"
"""Of a page without scripts whose picture brings its style in itself."""
REPORT = f"{_BASE}style-src 'unsafe-inline'; form-action 'none'"
"""Of a report, which brings its style and its pictures in itself."""
