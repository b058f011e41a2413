"""Staff rate answers in a real browser; sums of it reach the coordinator, one is held back, and no word comes along."""

from __future__ import annotations

import json
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from browser import Browser, needs_browser
from kommunbench.core.answer import Code
from kommunbench.core.spec import RATED
from kommunbench.report.record import RunFolder
from kommunbench.site.ratings import read_ratings
from test_canary import CANARIES, rows_of

pytestmark = [pytest.mark.slow, needs_browser]
SITES, TASK, COMMENT = ("ekby", "öster"), "summarization", "zqanmarkning7741"
ANSWERS = 20


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A finished run of two sites with planted text: ekby keeps answers and lets ratings out, öster does neither."""
    for site in SITES:
        (tmp_path / "data" / site).mkdir(parents=True)
        rows = [row | {"split": "test", "group": row["id"]} for row in rows_of(site, TASK)]
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (tmp_path / "data" / site / f"{TASK}.jsonl").write_text(lines, encoding="utf-8")
    policy = {"answers": "keep", "ratings": "allow"}
    (tmp_path / "data" / "ekby" / "site.yaml").write_text(yaml.safe_dump(policy), encoding="utf-8")
    tapped(tmp_path, "run", "run", "federation=folder", f"federation.path={tmp_path / 'data'}", "name=granskning",
           f"tasks=[{TASK}]", "strategy=none", "models=[lead]", "engine.workers=1")  # fmt: skip
    return tmp_path


def tapped(folder: Path, name: str, *words: str) -> str:
    """`kommunbench WORDS` in `folder`, with what crosses the network in `crossed-<name>`; what it printed."""
    script = Path(__file__).with_name("tapped.py")
    done = subprocess.run(
        [sys.executable, script, folder / f"crossed-{name}", *words], cwd=folder, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    (folder / f"crossed-{name}" / "printed").write_bytes(done.stdout + done.stderr)
    return done.stdout.decode()


@contextmanager
def reviewing(work: Path, home: Path) -> Iterator[str]:
    """The page that `kommunbench site review` opens, and Ctrl-C at the end."""
    code = "from kommunbench.cli import main; main()"
    words = ["site", "review", "--home", str(home), "--rater", "kerstin", "--task", TASK]
    words += ["--count", str(ANSWERS), "--no-open"]
    process = subprocess.Popen([sys.executable, "-c", code, *words], cwd=work, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, "")
        address = next((found[0] for line in lines if (found := re.search(r"http://\S+", line))), None)
        assert address, (home / "review" / "server.log").read_text()
        yield address
        process.send_signal(signal.SIGINT)
        printed = process.stdout.read()
        assert process.wait(timeout=60) == 0
        assert "kerstin" not in printed
        assert "lead" not in printed
    finally:
        process.terminate()  # not kill: it has a server of its own to end
        process.wait(timeout=60)


def rate(browser: Browser, answer: int) -> None:
    """Answer the four questions about the answer that is shown, comment on the first, and go on."""
    driver = browser.driver
    for at, value in enumerate((5 if answer % 2 else 1, 4, 5 if answer > 1 else 2, 1 + answer % 5)):
        box = waited(browser, lambda at=at: (driver.find_elements("css selector", "[role=combobox]") or [None] * 4)[at])
        driver.execute_script("arguments[0].click()", box)
        option = f"//*[@role='option'][starts-with(normalize-space(.), '{value} ')]"
        driver.execute_script(
            "arguments[0].click()",
            waited(browser, lambda path=option: next(iter(driver.find_elements("xpath", path)), None)),
        )
    if answer == 0:
        driver.find_element("css selector", "textarea").send_keys(COMMENT)
        browser.picture("answer")
    submit = "//button[normalize-space(.)='Submit' and not(@disabled)]"
    driver.execute_script(
        "arguments[0].click()", waited(browser, lambda: next(iter(driver.find_elements("xpath", submit)), None))
    )
    last = answer + 1 == ANSWERS
    browser.see("All items in this queue have been reviewed!" if last else f"{answer + 1} of {ANSWERS} reviewed")


def waited(browser: Browser, find):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser.driver, 30, poll_frequency=0.05).until(lambda _: find())


def test_twenty_answers_are_rated_and_only_sums_leave(work, tmp_path_factory):
    folder = RunFolder(work / "results" / "granskning")
    home = folder.path / "sites" / "ekby"
    started = time.monotonic()
    browser = Browser(tmp_path_factory.mktemp("pictures"))
    try:
        with reviewing(work, home) as address:
            browser.driver.get(address)
            browser.see("Svar att bedöma", "Start review")
            assert "lead" not in browser.driver.execute_script("return document.body.innerText")
            browser.picture("queue")
            browser.click("Start review")
            browser.see("Riktigt", "Stämmer svaret med underlaget?", f"0 of {ANSWERS} reviewed")
            for answer in range(ANSWERS):
                rate(browser, answer)
            browser.picture("done")
            assert browser.complaints == []
            strangers = {
                url for url in browser.asked if not url.startswith((address, "data:", "blob:", "about:", "chrome"))
            }
            assert strangers == set(), "the page asked someone else"
    finally:
        browser.driver.quit()
    print(f"{time.monotonic() - started:.0f} s for {ANSWERS} answers")

    said = read_ratings(home, TASK)
    assert len(said) == 4 * ANSWERS
    assert {rating.rater for rating in said} == {"kerstin"}
    assert sorted(r.value for r in said if r.criterion == "plain") == [2, 2] + [5] * 18
    assert [r.comment for r in said if r.comment] == [COMMENT]
    for path in (*home.glob("review/**/*"), *home.glob("ratings/*"), *home.glob("answers/**/*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path

    tapped(work, "ratings", "runs", "ratings", "granskning")
    replies = {received.site: received for received in folder.received("ratings-1")}
    codes = {key[1]: code for key, code, _ in replies["ekby"].slots}
    assert codes["rated_correct"] is Code.OK
    assert codes["rated_plain"] is Code.SMALL_CELL, "two answers alone are not plain"
    assert codes["rated_by_metric"] is Code.SMALL_CELL, "it would tell the same two"
    assert codes["rated_agreement"] is Code.TOO_FEW_EXAMPLES, "there is one rater"
    assert {code for _, code, _ in replies["öster"].slots} == {Code.METRIC_NOT_ALLOWED}
    report = json.loads((folder.path / "report.json").read_text(encoding="utf-8"))
    rows = {row["metric"]: row for row in report["rows"] if row["site_group"] == "all" and row["metric"] in RATED}
    assert (rows["rated_correct"]["value"], rows["rated_correct"]["n"]) == (3.0, ANSWERS)
    assert (rows["rated_plain"]["value"], rows["rated_plain"]["suppressed"]) == (None, 1)

    for own in ("answers", "ratings", "review", "tallies"):
        (home / own).rename(work / f"own-{own}")  # what is the site's alone; all the rest is searched
    searched = [work / "results", work / "crossed-run", work / "crossed-ratings"]
    assert CANARIES.escaped(*searched) == {}
    for path in (path for place in searched for path in place.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert COMMENT.encode() not in content, path
        assert b"kerstin" not in content or path.suffix in (".db", ".html"), path
    assert CANARIES.escaped(work / "own-answers"), "there was something to leak"
