"""The pages in a browser, from the table down to the frames, and on an opened archive."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import pytest
from aiida import orm
from aiida.storage.sqlite_zip.backend import SqliteZipBackend
from aiida.tools.archive import create_archive
from playwright.sync_api import Locator, Page, expect, sync_playwright
from provenance.stored_points import store
from report.browser import chromium

from aiida_dnpmelt.provenance.query import melting_curve_of, melting_points

from .servers import serving

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
BOX = "xpath=//*[local-name()='svg']//*[local-name()='a'][@*[contains(., '/training-1')]]"
PHONE = {"width": 390, "height": 800}


@pytest.fixture
def curve(learned) -> None:
    """Store a melting curve of another potential beside the learned one."""
    for pressure_gpa, temperature in ((0.0, 1320.0), (5.0, 1510.0), (10.0, 1680.0)):
        store(pressure_gpa=pressure_gpa, melting_temperature_k=temperature)
    melting_curve_of(melting_points(potential="mishin"))


@pytest.fixture
def window() -> Iterator[Page]:
    """Give a window of a browser; whatever it complains of fails the test."""
    complaints = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        page = browser.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: _stays_here(request.url, complaints))
        yield page
        browser.close()
    assert complaints == []


def _stays_here(url: str, complaints: list[str]) -> None:
    if urlsplit(url).hostname not in ("127.0.0.1", None):
        complaints.append(f"asked for {url}")


def test_one_clicks_from_the_table_to_the_frames(learned, window):
    with serving(_profile()) as server:
        window.goto(server.address)
        window.get_by_label("potential").fill("a model")
        window.get_by_role("button", name="Show").click()
        row = window.locator("tbody tr")
        expect(row).to_have_count(1)
        row.get_by_role("link").click()
        title = window.get_by_role("heading", level=1)
        expect(title).to_have_text("Melting temperature of Cu")
        window.get_by_role("link", name="Lineage").click()
        expect(title).to_have_text("What it stands on")
        _click(window, window.locator(BOX).first)
        expect(title).to_have_text("Training, generation 1")
        window.get_by_role("link", name="the lineage").click()
        window.get_by_role("link", name="given").click()
        expect(title).to_have_text("Given")
        window.locator("tr", has_text="FramesData").get_by_role("link").click()
        expect(window.locator("main")).to_contain_text("3 frames of 4 atoms, liquid")
        window.locator(f"a[href='/point/{learned.chain.uuid}']").click()
        window.get_by_role("link", name="Report").click()
        window.wait_for_url("**/report/*")
        expect(title).to_have_text("Melting temperature of Cu")


def test_charts_are_drawn_and_points_lead_to_their_pages(learned, curve, window):
    with serving(_profile()) as server:
        window.goto(f"{server.address}/pressure?potential=mishin")
        points = window.locator(".chart .scatterlayer .point")
        points.first.wait_for()
        assert points.count() == 3
        assert window.locator(".chart .js-fill").count() == 1
        points.first.hover(force=True)
        window.locator(".chart .hoverlayer .hovertext").wait_for()
        _click(window, points.first)
        window.wait_for_url("**/point/*")
        window.goto(f"{server.address}/experiment")
        window.locator(".chart .scatterlayer .point").first.wait_for()
        window.set_viewport_size(PHONE)
        for path in ("/", "/pressure", f"/point/{learned.chain.uuid}", f"/lineage/{learned.chain.uuid}"):
            window.goto(f"{server.address}{path}")
            assert window.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path


def test_an_opened_archive_can_be_looked_at(learned, curve, aiida_config, tmp_path):
    path = tmp_path / "points.aiida"
    for process in orm.QueryBuilder().append(orm.ProcessNode).all(flat=True):
        if not process.is_sealed:
            process.seal()
    create_archive(None, filename=path)
    profile = SqliteZipBackend.create_profile(path)
    aiida_config.add_profile(profile)
    aiida_config.store()
    before = path.read_bytes()
    try:
        with serving(profile.name) as server, httpx2.Client(base_url=server.address, timeout=60) as client:
            for page in ("/", "/pressure", "/experiment"):
                assert "1320(5)" in client.get(page).text
            for page in ("point", "report", "lineage", "node"):
                answer = client.get(f"/{page}/{learned.chain.uuid}")
                assert answer.status_code == 200, answer.text
    finally:
        aiida_config.remove_profile(profile.name)
        aiida_config.store()
    assert path.read_bytes() == before


def _click(window: Page, target: Locator) -> None:
    """Click in the middle of what is drawn, whatever lies over it."""
    box = target.bounding_box()
    assert box is not None
    window.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def _profile() -> str:
    from aiida.manage import get_manager

    profile = get_manager().get_profile()
    assert profile is not None
    return str(profile.name)
