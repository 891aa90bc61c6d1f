"""report.html in Chromium: asks for nothing, reports no error, fits a telephone; its stories open by keyboard."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.report.index import write_index
from harness.report.matrix_page import write_page as write_matrix
from harness.report.page import write_page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MAKES = ("passed", "failed", "unknown", "hostile", "huge", "matrix", "index")
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and os.environ.get("HARNESS_BROWSER") != "1",
        reason="no Chromium here (HARNESS_BROWSER=1 makes this an error)",
    ),
]


def _runs() -> ModuleType:
    """The folders that the tests of the reports use too."""
    file = Path(__file__).parents[1] / "report" / "runs.py"
    spec = importlib.util.spec_from_file_location("page_runs", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    runs = _runs()
    folder = tmp_path_factory.mktemp("pages")
    made = {name: write_page(runs.write(folder / name, getattr(runs, name)())) for name in MAKES[:-2]}
    made["matrix"] = folder / "matrix.html"
    write_matrix(folder, runs.matrix(), "FAIL")
    made["index"] = write_index(folder)
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    assert CHROMIUM is not None, "HARNESS_BROWSER=1, and there is no chromium or google-chrome on PATH"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def opened(browser: Any, path: Path, **options: Any) -> tuple[Any, list[str], list[str]]:
    """The page, what it asked for, and what it complained of."""
    page = browser.new_page(**options)
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri(), wait_until="networkidle")
    return page, requests, complaints


CONTRASTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = colour => { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3); };
  const light = c => { const [r, g, b] = rgb(c).map(v => v / 255).map(
    v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor; if (c !== 'rgba(0, 0, 0, 0)') return c; } return 'white'; };
  const worst = {};
  for (const e of document.querySelectorAll('body *:not(title)')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const s = getComputedStyle(e), colour = e.closest('svg') ? s.fill : s.color;
    const [a, b] = [light(colour), light(behind(e.closest('svg') || e))].sort((x, y) => y - x);
    worst[colour] = (a + 0.05) / (b + 0.05);
  }
  return worst;
}"""

VIOLATIONS = """() => axe.run({resultTypes: ['violations']}).then(found => found.violations.flatMap(v =>
  v.nodes.map(node => [v.impact, v.id, node.html.slice(0, 160)].join(': '))))"""


@pytest.mark.parametrize("name", MAKES)
def test_a_page_asks_for_nothing_fits_and_can_be_used(browser: Any, pages: dict[str, Path], name: str) -> None:
    page, requests, complaints = opened(browser, pages[name], viewport={"width": 1100, "height": 844})
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    page.evaluate(AXE)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1100, 390):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            # All of axe-core's rules, not only those about serious harm. They take seconds: one page of a kind.
            if name in ("failed", "matrix", "index") and (scheme == "light") == (width == 1100):
                assert page.evaluate(VIOLATIONS) == []
        if name in ("passed", "failed", "unknown", "matrix", "index"):
            worst = page.evaluate(CONTRASTS)
            assert len(worst) >= 3
            assert {colour: ratio for colour, ratio in worst.items() if ratio < 4.5} == {}
    assert requests == [pages[name].as_uri()]
    assert complaints == []
    page.close()


def test_dark_is_dark_and_light_is_light(browser: Any, pages: dict[str, Path]) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        page, _, _ = opened(browser, pages["failed"], color_scheme=scheme)
        colours = page.evaluate(
            "[getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).color]"
        )
        brightness[scheme] = [sum(int(part) for part in colour[4:-1].split(",")) for colour in colours]
        page.close()
    assert brightness["light"][0] > 700 > 150 > brightness["light"][1]
    assert brightness["dark"][0] < 150 < 600 < brightness["dark"][1]


def test_a_story_opens_by_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    page, _, _ = opened(browser, pages["failed"])
    story = page.locator("details.timeline").first
    step = story.get_by_text("c3 left in order")
    assert not step.is_visible()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.querySelector('details.timeline > summary')"):
            break
    page.keyboard.press("Enter")
    assert step.is_visible()
    page.close()


def zoomed(page: Any) -> list[float]:
    """From when to when the first picture shows now, as the axis of its viewBox tells; in pixels of the whole."""
    found: list[float] = page.evaluate(
        "(b => [b.x, b.x + b.width])(document.querySelector('svg.wide .plot').viewBox.baseVal)"
    )
    return found


def test_zoom_by_mouse_and_by_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    page, _, complaints = opened(browser, pages["failed"], viewport={"width": 1100, "height": 900})
    whole = zoomed(page)
    picture = page.locator("svg.wide").first
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    scale = box["width"] / 800
    page.mouse.move(box["x"] + 300 * scale, box["y"] + 90)
    page.mouse.down()
    page.mouse.move(box["x"] + 420 * scale, box["y"] + 90, steps=4)
    page.mouse.up()
    assert zoomed(page) == pytest.approx([300, 420], abs=1.5)
    assert " s to " in page.locator(".tools output").inner_text()
    lanes = page.locator("svg.wide").nth(1)
    assert lanes.evaluate("s => s.querySelector('.plot').viewBox.baseVal.width") == pytest.approx(120, abs=2)
    assert lanes.locator(".flag:visible").count() < 2, "flags outside are hidden"
    page.mouse.dblclick(box["x"] + 300 * scale, box["y"] + 90)
    assert zoomed(page) == pytest.approx(whole)

    page.get_by_role("button", name="Zoom in").focus()
    page.keyboard.press("Enter")
    assert zoomed(page)[1] - zoomed(page)[0] == pytest.approx((whole[1] - whole[0]) / 2)
    page.keyboard.press("ArrowRight")
    assert zoomed(page)[0] > whole[0] + (whole[1] - whole[0]) / 4 + 1
    page.keyboard.press("Escape")
    assert zoomed(page) == pytest.approx(whole)
    assert complaints == []
    page.close()


def test_a_flag_opens_its_story_by_mouse_and_by_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    page, _, complaints = opened(browser, pages["failed"], viewport={"width": 1100, "height": 900})
    stories = page.locator("details.timeline")
    flags = page.locator("svg.wide .flag")
    flags.nth(0).click()
    assert stories.nth(0).get_by_text("c3 left in order").is_visible()
    assert page.evaluate("document.activeElement.parentElement === document.querySelector('details.timeline')")
    flags.nth(1).focus()
    page.keyboard.press("Enter")
    assert stories.nth(1).get_by_text("c8 left in order").is_visible()
    assert complaints == []
    page.close()


def test_the_index_filters(browser: Any, pages: dict[str, Path]) -> None:
    page, _, complaints = opened(browser, pages["index"])
    shown = page.locator("tbody tr:visible")
    assert shown.count() == 5
    page.get_by_role("searchbox").fill("ssl_iter 416 LOST")
    assert shown.count() == 1
    assert page.locator(".filter output").inner_text() == "1 of 5"
    page.get_by_role("searchbox").fill("")
    page.get_by_label("FAIL").uncheck()
    assert "FAIL" not in shown.locator(".mark").all_inner_texts()
    assert complaints == []
    page.close()


def test_markup_in_data_does_nothing(browser: Any, pages: dict[str, Path]) -> None:
    for name in ("hostile", "index"):
        page, _, complaints = opened(browser, pages[name])
        dialogs: list[str] = []
        page.on("dialog", lambda dialog, dialogs=dialogs: dialogs.append(dialog.message))
        assert page.evaluate("document.scripts.length") == 1
        assert page.evaluate("[...document.querySelectorAll('*')].filter(e => e.onload || e.onclick).length") == 0
        assert page.evaluate("document.querySelector('main script:not(:scope)')") is None
        for link in page.locator("svg.wide .flag").all()[:2]:
            link.click()
        assert dialogs == []
        assert complaints == []
        page.close()


def test_a_page_prints(browser: Any, pages: dict[str, Path]) -> None:
    page, _, _ = opened(browser, pages["failed"])
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
