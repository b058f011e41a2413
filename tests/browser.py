"""A real Chromium for tests, with what it logs and pictures of what it shows."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not here: apt install chromium chromium-driver"
)
SILENT = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --no-first-run --window-size=1600,1000"
)
MLFLOWS_OWN = ("/mlflow/users/current", "/mlflow/assistant/", "ResizeObserver loop")
"""What MLflow's page itself complains of: it asks for interfaces that an open, local server does not have."""


class Browser:
    """Chromium with what it logs, and pictures of what it shows."""

    def __init__(self, pictures: Path) -> None:
        from selenium import webdriver

        os.environ["SE_AVOID_STATS"] = "true"
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in (*SILENT.split(), f"--user-data-dir={pictures / 'profile'}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
        self.pictures = pictures
        self.complaints: list[str] = []
        self.asked: set[str] = set()

    def see(self, text: str, *more: str) -> None:
        """Wait until every text is on the page."""
        from selenium.webdriver.support.ui import WebDriverWait

        for wanted in (text, *more):
            WebDriverWait(self.driver, 40, poll_frequency=0.05).until(
                lambda driver, wanted=wanted: wanted in driver.execute_script("return document.body.innerText"), wanted
            )

    def click(self, text: str) -> None:
        """Click the link, tab or line that says exactly `text`."""
        from selenium.webdriver.support.ui import WebDriverWait

        path = f"//*[normalize-space(.)='{text}' and not(*[normalize-space(.)='{text}'])]"
        found = WebDriverWait(self.driver, 40, poll_frequency=0.05).until(
            lambda driver: driver.find_elements("xpath", path), text
        )
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found[-1])
        found[-1].click()

    def picture(self, name: str) -> None:
        """Keep a picture, and what was logged since the last one."""
        self.driver.save_screenshot(str(self.pictures / f"{name}.png"))
        for entry in self.driver.get_log("browser"):
            if entry["level"] == "SEVERE" and not any(own in entry["message"] for own in MLFLOWS_OWN):
                self.complaints.append(f"{name}: {entry['message']}")
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.asked.add(message["params"]["request"]["url"])
