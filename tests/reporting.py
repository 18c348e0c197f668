"""How a run of pytest ended, beside its report: `summary.py` reads both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    report = session.config.getoption("xmlpath")
    if report and not hasattr(session.config, "workerinput"):
        ending = {"status": int(exitstatus), "collected": session.testscollected}
        Path(report).with_suffix(".json").write_text(json.dumps(ending))
