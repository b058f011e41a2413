"""docs/metrics.md: every metric with its fields, bounds, direction, source, and what it is held against.

python benchmarks/metrics_table.py
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from metric_oracles import page

if __name__ == "__main__":
    path, text = page()
    path.write_text(text, encoding="utf-8")
    print(path)
