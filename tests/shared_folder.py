"""Real Swedish public-sector text as a federation's folder: OUT/<site>/<task>.jsonl.

    python tests/shared_folder.py OUT
    kommunbench site check OUT
    kommunbench run federation=folder federation.path=OUT

The text stays in `../shared/data` and in OUT: it is for tests and measurements, and is never part of the project. Its
rows say `split: dev`, which there means 'not held out'; the word is dropped, so that a keyed hash splits them.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path
from typing import Any

from kommunbench.core.task import task_names

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SETS = {
    "summarization_sou": "summarization",
    "summarization_ingress": "summarization",
    "qa_swequad_mc": "guideline_qa",
    "simplification_section": "lattlast",
    "translation_pud": "translation",
}
"""Sets that have what a task asks for, used once the task exists.
`guidelines_corpus` has no questions, and the FAQ sets no context."""
INPUTS = ("input", "context", "question")


LANGUAGES = {"sv": "svenska", "en": "engelska", "ar": "arabiska"}


def build(
    out: Path,
    tasks: Collection[str] = task_names(),
    shared: Path = SHARED,
    sets: Collection[str] = SETS,
    split: str = "",
) -> Counter[str]:
    """Write the sets of `tasks` below `out` and return rows by `<site>/<task>`; empty where `shared` is absent.

    Files of an earlier time are replaced. With `split` every row says that it is of that split.
    """
    written: Counter[str] = Counter()
    for name, task in SETS.items():
        if name not in sets:
            continue
        for source in sorted((shared / name).glob("*.jsonl")) if task in tasks else ():
            target = out / source.stem / f"{task}.jsonl"
            if f"{source.stem}/{task}" not in written:
                target.unlink(missing_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("a", encoding="utf-8") as handle:
                for line in source.read_text(encoding="utf-8").rstrip("\n").split("\n"):
                    row = _row(json.loads(line)) | ({"split": split} if split else {})
                    handle.write(json.dumps(row, ensure_ascii=False) + "\n")
                    written[f"{source.stem}/{task}"] += 1
    return written


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """What a task asks for; questions about one text stay in one split."""
    kept = {name: row[name] for name in ("id", *INPUTS, "references") if name in row}
    if "context" in row:
        kept["group"] = sha256(row["context"].encode()).hexdigest()[:16]
    if "src_lang" in row:
        source, target = (LANGUAGES[row[name]] for name in ("src_lang", "tgt_lang"))
        kept |= {"glossary": "(ingen)", "source": source, "target": target, "language": row["tgt_lang"]}
    return kept


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tests/shared_folder.py OUT")
    counts = build(Path(sys.argv[1]))
    print("\n".join(f"{name}: {rows} rows" for name, rows in sorted(counts.items())) or f"skipped: no {SHARED}")
