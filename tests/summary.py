"""Tell what came of the parts of the test suite: `python tests/summary.py FOLDER PART...`.

Each part leaves in FOLDER what pytest writes for `--junitxml=FOLDER/PART.xml`, and beside it how it ended, by the hook
in `conftest.py`. The exit status is 1 unless all parts came to their end and nothing failed.
"""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

INTERRUPTED, NOTHING_SELECTED = 2, 5
"""Exit statuses of pytest."""


@dataclass
class Part:
    """What came of a part; ``trouble`` is why it did not come to its end."""

    name: str
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    expected: int = 0
    seconds: float = 0
    trouble: str = ""

    @property
    def whole(self) -> bool:
        """Return whether all of it ran and nothing failed."""
        return not self.failed and not self.trouble

    def line(self) -> str:
        """Return the part in one line."""
        numbers = {"passed": self.passed, "failed": len(self.failed), "skipped": self.skipped.total()}
        numbers["failed as expected"] = self.expected
        words = ", ".join(f"{number} {word}" for word, number in numbers.items() if number) or "nothing selected"
        trouble = f"; {self.trouble}" if self.trouble else ""
        return f"{self.name:10s} {words} in {self.seconds / 60:.0f} min{trouble}"


def read(folder: Path, name: str) -> Part:
    """Return what came of a part."""
    part = Part(name)
    try:
        suite = ET.parse(folder / f"{name}.xml").getroot().find("testsuite")
        ending = json.loads((folder / f"{name}.json").read_text())
    except (OSError, ValueError, ET.ParseError):
        suite = None
    if suite is None:
        part.trouble = "it left no report: it was not started, or was killed"
        return part
    part.seconds = float(suite.get("time", 0))
    cases = list(suite.iter("testcase"))
    if ending["status"] == INTERRUPTED and cases and not len(cases[-1]):
        cases = cases[:-1]  # it was not brought to its end
    for case in cases:
        _count(case, part)
    done = len({_name(case) for case in cases})
    if done < ending["collected"]:
        part.trouble = f"ended after {done} of {ending['collected']} tests"
    elif ending["status"] not in (0, 1, NOTHING_SELECTED):
        part.trouble = f"pytest ended with status {ending['status']}"
    return part


def _count(case: ET.Element, part: Part) -> None:
    skip = case.find("skipped")
    if case.find("failure") is not None or case.find("error") is not None:
        if _name(case) not in part.failed:  # a test may fail, and its clean-up as well
            part.failed.append(_name(case))
    elif skip is None:
        part.passed += 1
    elif skip.get("type") == "pytest.xfail":
        part.expected += 1
    else:
        part.skipped[re.sub(r"\s+", " ", skip.get("message") or "without a reason")] += 1


def _name(case: ET.Element) -> str:
    return f"{case.get('classname')}::{case.get('name')}".removeprefix("tests.").lstrip(":")


def main(folder: Path, names: list[str]) -> int:
    """Print the summary and return the exit status."""
    parts = [read(folder, name) for name in names]
    print("\n" + " summary of the tests ".center(80, "="))
    for part in parts:
        print(part.line())
        for test in part.failed:
            print(f"    failed: {test}")
        for reason, number in part.skipped.most_common():
            print(f"    {number} skipped: {reason}")
    bad = [part.name for part in parts if not part.whole]
    passed = sum(part.passed for part in parts)
    print(f"not in order: {', '.join(bad)}" if bad else f"all {passed} tests that ran have passed")
    return 1 if bad or not passed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
