"""Chromium without a window, and what it tells of a page."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

NO_ORIGIN = "not an origin"
WIDTH, HEIGHT = 1280, 800
WRAPPER = """<!DOCTYPE html><iframe id="page" src="{page}" width="1280" height="800"></iframe><pre id="found"></pre>
<script>
addEventListener("load", () => {{
  const inner = document.getElementById("page").contentDocument;
  document.getElementById("found").textContent = JSON.stringify({{
    widths: [...inner.images].map(image => image.complete ? image.naturalWidth : 0),
    alts: [...inner.images].map(image => image.alt),
    scripts: inner.scripts.length,
    scroll: inner.documentElement.scrollWidth,
    title: inner.title,
  }});
}});
</script>
"""
"""The script is in this page, none in the one that it looks at."""
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-file-access-from-files",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


@dataclass(frozen=True)
class Seen:
    """What a browser made of a page.

    :param widths: of the images as they were decoded; 0 for one that was not.
    :param scroll: width in pixels that the page takes in a window of 1280.
    :param requests: addresses that were asked for in the network.
    :param grey: mean lightness of each row of pixels of the window, from 0 to 1.
    """

    widths: list[int]
    alts: list[str]
    scripts: int
    scroll: int
    title: str
    requests: list[str]
    grey: Any


def chromium() -> str:
    """Return the program, or skip the test where there is none."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium here, to look at the page with: apt-get install chromium")
    return found


def look_at(page: Path, folder: Path) -> Seen:
    """Open a page in a window of a laptop's width."""
    program, wrapper = chromium(), folder / "wrapper.html"
    wrapper.write_text(WRAPPER.format(page=page.as_uri()))
    found = json.loads(_run(program, folder, "--dump-dom", wrapper).split('<pre id="found">')[1].split("</pre>")[0])
    log, shot = folder / "net.json", folder / "shot.png"
    _run(program, folder, f"--log-net-log={log}", f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={shot}", page)
    return Seen(**found, requests=_requests(log), grey=imread(shot)[..., :3].mean(axis=(1, 2)))


def _run(program: str, folder: Path, *arguments: Any) -> str:
    *options, page = arguments
    command = [program, *QUIET, f"--user-data-dir={folder / 'chromium'}", *map(str, options), Path(page).as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return done.stdout


def _requests(log: Path) -> list[str]:
    """Return the addresses in the network that the page asked for; what has no origin is the browser's own business."""
    asked = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    urls = {str(params["url"]) for params in asked if params.get("initiator", NO_ORIGIN) != NO_ORIGIN}
    return sorted(url for url in urls if not url.startswith(("file:", "data:")))


def is_blank(grey: Any) -> bool:
    """Tell whether a window shows nothing."""
    return bool(np.ptp(grey) < 0.02)
