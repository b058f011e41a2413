"""How often intervals hold the truth, and how often the paired test cries wolf: a table, by simulation.

    python benchmarks/intervals.py [REPETITIONS] [OUT]

Federations are simulated (tests/simulation.py) and go through the code that makes reports. No text, no model; one core.
"""

from __future__ import annotations

import sys
import time
from math import sqrt
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from simulation import DRAWS, SIZES, false_positives, new_site, these_sites  # noqa: E402

OUT = ROOT / "results" / "published" / "coverage.md"
KINDS = {"exact_match": "a proportion (Wilson)", "token_f1": "a mean of scores", "long_words": "a ratio of counts"}
TEXT = """# Do 95 % intervals hold the truth?

Simulated: {sites} sites of {least} to {most} examples that differ from each other, skewed scores, uneven lengths; the
truth is known. Drawn anew {repetitions:,} times for each number, then through the code that makes reports.

```sh
python benchmarks/intervals.py {repetitions}
```

| measure | these sites | sites like these | of new sites, by the interval for these | false alarms of the paired test |
|---|--:|--:|--:|--:|
{rows}

In parentheses: standard error of the simulation, in percentage points. Wanted: 93 to 97 %, and 4 to 6 % of false alarms
(p < .05 where two systems are alike). Wilson's interval takes all sites' examples for one sample, so where sites differ
it is a little wide, never narrow. The fourth column says why there are two intervals: the one that is about these sites
does not answer for a new one.
"""


def main(repetitions: int, out: Path) -> None:
    """Simulate every kind of measure and write the table."""
    started = time.process_time()
    rows = []
    for name in DRAWS:
        like_these, of_these = new_site(name, repetitions)
        shares = (these_sites(name, repetitions), like_these, of_these, false_positives(name, repetitions))
        cells = (f"{share:.1%} ({100 * sqrt(share * (1 - share) / repetitions):.1f})" for share in shares)
        rows.append(f"| `{name}`: {KINDS[name]} | {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    text = TEXT.format(
        sites=len(SIZES), least=min(SIZES), most=max(SIZES), repetitions=repetitions, rows="\n".join(rows)
    )
    out.write_text(text, encoding="utf-8")
    print(f"{out}: {time.process_time() - started:.0f} s of one core")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4000, Path(sys.argv[2]) if len(sys.argv) > 2 else OUT)
