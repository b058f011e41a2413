"""report.html in a real Chromium: axe-core finds nothing wrong, and a keyboard is enough to read all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from everything import with_everything

from browser import Browser, needs_browser
from kommunbench.report.figures import figures
from kommunbench.report.page import page
from kommunbench.report.rows import Report

AXE = Path(__file__).parents[1] / "vendor" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
pytestmark = [pytest.mark.slow, needs_browser]


@pytest.fixture(scope="module")
def browser(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder, report = tmp_path_factory.mktemp("page"), with_everything(report)
    (folder / "report.html").write_text(page(report, figures(report)), encoding="utf-8")
    browser = Browser(folder)
    yield browser
    browser.driver.quit()


def opened(browser: Browser, width: int = 1600, scheme: str = "light") -> None:
    """The page afresh, on a screen so wide, in the reader's own colours."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.driver.set_window_size(width, 1000)
    browser.driver.get((browser.pictures / "report.html").as_uri())


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not in tests/vendor (it is left out of some archives)")
@pytest.mark.parametrize("language", ["sv", "en"])
@pytest.mark.parametrize(("width", "scheme"), [(1600, "light"), (420, "dark")])
def test_axe_finds_no_violation(browser, language, width, scheme):
    opened(browser, width, scheme)
    driver = browser.driver
    driver.execute_script("document.getElementById(arguments[0]).click()", language)
    driver.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    driver.execute_script(AXE.read_text(encoding="utf-8"))
    found = driver.execute_async_script(
        "const done = arguments[1]; axe.run(document, {runOnly: arguments[0]}).then(done)", RULES
    )
    browser.picture(f"{language}-{width}-{scheme}")
    what = [(one["id"], one["help"], one["nodes"][0]["html"][:200]) for one in found["violations"]]
    assert what == []
    assert len(found["passes"]) > 20, "axe looked at next to nothing"
    assert browser.complaints == []


def test_axe_would_have_found_a_violation(browser):
    opened(browser)
    browser.driver.execute_script("document.querySelector('img').removeAttribute('alt')")
    browser.driver.execute_script(AXE.read_text(encoding="utf-8"))
    found = browser.driver.execute_async_script("axe.run(document).then(arguments[0])")
    assert [one["id"] for one in found["violations"]] == ["image-alt"]


def test_the_page_has_every_section_in_both_languages(browser):
    opened(browser)
    for language in ("sv", "en"):
        titles = browser.driver.execute_script(
            "return [...document.querySelectorAll(`section[lang=${arguments[0]}] h2`)].map(one => one.textContent)",
            language,
        )
        wanted = {
            "sv": ("Om annat räknas", "Ensam, tillsammans", "Nytta mot kostnad", "Ska vi använda",
                   "Vad personalen tyckte", "Mot tidigare körningar", "Hur långt det räcker",
                   "Vilka som saknas", "Ord i rapporten"),
            "en": ("If something else counts", "Alone, together", "Quality against cost", "Should we adopt",
                   "What staff said", "Against earlier runs", "How far it carries",
                   "Who is missing", "Words in this report"),
        }[language]  # fmt: skip
        assert [start for start in wanted if not any(title.startswith(start) for title in titles)] == []


def test_every_figure_has_its_table_beside_it(browser):
    opened(browser)
    behind = browser.driver.execute_script(
        "return [...document.querySelectorAll('figure')].map(figure => {"
        " const next = figure.nextElementSibling, last = figure.previousElementSibling;"
        " const table = next && next.tagName === 'DETAILS' ? next : last.matches('.scroll') ? last : null;"
        " return table ? table.querySelectorAll('td').length : 0})"
    )
    assert len(behind) == 12
    assert all(cells > 4 for cells in behind)


def test_a_keyboard_reaches_and_opens_everything(browser):
    from selenium.webdriver.common.keys import Keys

    opened(browser)
    driver = browser.driver
    body = driver.find_element("tag name", "body")
    wanted = driver.execute_script(
        "return [...document.querySelectorAll('a, summary, .scroll, input')].filter(one => one.checkVisibility() "
        "&& !(one.type === 'radio' && !one.checked)).length"
    )
    reached: list[str] = []
    for _ in range(2 * wanted):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        here = driver.execute_script(
            "const one = document.activeElement; const box = one.getBoundingClientRect();"
            " if (one === document.body) return null;"
            " const style = getComputedStyle(one);"
            " return JSON.stringify([one.tagName, Math.round(box.x + scrollX), Math.round(box.y + scrollY),"
            " style.outlineStyle !== 'none', one.innerText.slice(0, 20)])"
        )
        if here is None or here in reached:
            break
        reached.append(here)
    assert len(reached) == wanted
    assert all(json.loads(one)[3] for one in reached), "the focus can be seen everywhere"

    body.send_keys(Keys.HOME)
    summary = driver.find_element("css selector", "section[lang=sv] summary")
    driver.execute_script("arguments[0].focus()", summary)
    summary.send_keys(Keys.ENTER)
    assert driver.execute_script("return arguments[0].parentElement.open", summary)
    chosen = driver.find_element("css selector", "#sv")
    chosen.send_keys(Keys.ARROW_RIGHT)
    assert driver.find_element("css selector", "section[lang=en] h1").is_displayed()
    assert not driver.find_element("css selector", "section[lang=sv] h1").is_displayed()
