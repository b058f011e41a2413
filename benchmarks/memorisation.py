"""What an adapter remembers, honestly trained and overfitted, as the site measures it: exposure and membership.

    python benchmarks/memorisation.py

One synthetic organisation, the model nano, the main job's settings; `passes` is over the whole train split.
"""

from __future__ import annotations

import sys

from kommunbench.config.hydra import compose_settings
from kommunbench.core.spec import PromptRef
from kommunbench.core.task import load_task
from kommunbench.models.open import load_card, open_model
from kommunbench.privacy.memorisation import Canaries, Pair, measure
from kommunbench.site.data import SiteData
from kommunbench.site.evaluate import render
from kommunbench.site.sources import SyntheticSource

TASKS = ("lattlast", "guideline_qa")


def pairs_of(site: str, *splits: str) -> list[Pair]:
    settings = compose_settings(["results=results"])
    data = SiteData(SyntheticSource((settings.federation.sites[site],), settings.synthetic, settings.seed))
    prompt = PromptRef(name="plain", variant="plain")
    return [
        (render(task, prompt, example, ()), example.references[0])
        for task in map(load_task, TASKS)
        for split in splits
        for example in data.split(task, split)
    ]


def main(site: str = "alvhammar", passes: tuple[float, ...] = (0.25, 2, 8, 32)) -> None:
    settings = compose_settings(["results=results"]).train
    model = open_model(load_card("nano"), threads=1)
    trained, never = pairs_of(site, "train"), pairs_of(site, "validation", "test")
    canaries = Canaries.drawn(1)
    start = model.new_adapter(settings, 1)
    print(f"{site}: {len(trained)} examples trained on, {len(never)} not\n")
    print("| passes | examples | exposure, bits | membership AUC | found at 1 % false alarms | members, others |")
    print("|---:|---:|---:|---:|---:|---:|")
    for count in passes:
        some = trained if count < 32 else trained[::6]
        longer = settings.model_copy(update={"epochs": count})
        adapter = model.train([*some, *canaries.planted], start, longer, 1).adapter
        found = measure(model, adapter, settings, (some, never), canaries)
        assert found is not None
        numbers = f"{found.exposure_bits:.2f} | {found.auc:.3f} | {found.tpr:.3f}"
        print(f"| {count} | {len(some)} | {numbers} | {found.members}, {found.non_members} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:2])
