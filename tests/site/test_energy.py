"""Joules are the counters' own, over packages and over a counter's end; without counters there are none."""

from __future__ import annotations

from pathlib import Path

from kommunbench.site.energy import EnergyMeter


def counter(folder: Path, name: str, microjoules: int, most: int = 10**9) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "energy_uj").write_text(f"{microjoules}\n")
    (folder / name / "max_energy_range_uj").write_text(f"{most}\n")


def test_joules_are_summed_over_packages_and_parts_of_them_are_not_counted_twice(tmp_path: Path) -> None:
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        counter(tmp_path, name, 5_000_000)
    meter = EnergyMeter(tmp_path)
    assert meter.joules() == 0
    counter(tmp_path, "intel-rapl:0", 12_000_000)
    counter(tmp_path, "intel-rapl:1", 8_500_000)
    counter(tmp_path, "intel-rapl:0:0", 90_000_000)
    assert meter.joules() == 10  # 7 + 3.5


def test_a_counter_that_begins_anew_is_read_on(tmp_path: Path) -> None:
    counter(tmp_path, "intel-rapl:0", 990_000_000)
    meter = EnergyMeter(tmp_path)
    counter(tmp_path, "intel-rapl:0", 20_000_000)
    assert meter.joules() == 30


def test_where_nothing_can_be_read_there_are_none(tmp_path: Path) -> None:
    assert EnergyMeter(tmp_path).joules() == 0
    (tmp_path / "intel-rapl:0").mkdir()
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("locked\n")
    assert EnergyMeter(tmp_path).joules() == 0
