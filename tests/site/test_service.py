"""The systemd unit is one that systemd itself takes and rates as well kept in."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kommunbench.site.home import SiteHome
from kommunbench.site.service import UNIT, unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit_and_rates_its_exposure_ok(tmp_path: Path) -> None:
    path = tmp_path / UNIT
    path.write_text(unit(SiteHome(tmp_path / "site"), "daemon", 8), encoding="utf-8")
    told = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False, timeout=60)
    assert not [line for line in told.stderr.splitlines() if UNIT in line and "not executable" not in line]
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", path],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    overall = re.search(r"Overall exposure level for .*: ([\d.]+)", rated.stdout)
    if overall is None:
        pytest.skip("this systemd rates no unit offline")
    assert float(overall[1]) < 3.0
