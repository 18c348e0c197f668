"""Make the picture of the pages for browsing, of the profile that AiiDA finds.

    python docs/figures/make_browse.py PROFILE

The profile should hold some melting curves. Chromium must be on PATH. The picture goes to `docs/images`.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

TARGET = Path(__file__).resolve().parents[1] / "images" / "browse.png"
SIZE = {"width": 1000, "height": 860}


def screenshot(address: str) -> bytes:
    """Return the page of melting temperatures over pressure as a browser shows it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        page.goto(f"{address}pressure")
        page.locator(".chart .point").first.wait_for()
        taken = page.screenshot()
        browser.close()
    return taken


def main() -> None:
    """Run the server and write the picture with few colours."""
    command = [str(Path(sys.executable).with_name("aiida-dnpmelt")), "browse", "--no-open", "-p", sys.argv[1]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().split(" is at ")[1].split()[0]
        taken = screenshot(address)
        server.terminate()
    with Image.open(io.BytesIO(taken)) as image:
        image.convert("RGB").quantize(48, dither=Image.Dither.NONE).save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
