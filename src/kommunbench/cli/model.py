"""`kommunbench model`: which models there are, and the recipe of the built-in one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from kommunbench.cli.model_export import export
from kommunbench.core.errors import KommunbenchError

app = typer.Typer(no_args_is_help=True, help="Models: list them, export a trained one, make the built-in one anew.")
console = Console()
app.command("export")(export)


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Every model that conf/models/ names, and whether it is here.

    Example: kommunbench model list
    """
    from kommunbench.models.open import card_digest, card_names, load_card

    rows = []
    for name in card_names():
        card = load_card(name)
        try:
            found = card_digest(card)
        except KommunbenchError:
            found = ""
        rows.append({"name": name, "family": card.family, "trainable": card.trainable, "digest": found})
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table("model", "family", "trainable", "digest")
    for row in rows:
        digest = str(row["digest"])[:12] or "not on this machine"
        table.add_row(str(row["name"]), str(row["family"]), "yes" if row["trainable"] else "no", digest)
    console.print(table)


@app.command("pretrain")
def pretrain_model(
    folder: Annotated[Path, typer.Argument(help="Gets config.json, model.safetensors and the tokenizer.")],
    tokens: Annotated[int, typer.Option(help="Tokens to train on; 0: as nano.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the corpus and the weights.")] = 1,
    threads: Annotated[int, typer.Option(help="CPU threads; 0: all.")] = 0,
) -> None:
    """Make the small base model `nano` anew: corpus, tokenizer and weights from one seed.

    The corpus is in neutral style; no organisation's terms, headings or rules are in it (see MODEL_CARD.md).

    Example: kommunbench model pretrain models/nano-2 --tokens 2000000
    """
    from kommunbench.models.pretrain import PretrainSettings, pretrain
    from kommunbench.models.pretrain import Progress as Step
    from kommunbench.synthetic.neutral import neutral_corpus

    settings = PretrainSettings(seed=seed, threads=threads)
    if tokens:
        settings = settings.model_copy(update={"tokens": tokens})
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("tokenizer", total=settings.tokens)

        def show(step: Step) -> None:
            bar.update(task, completed=step.tokens, description=f"step {step.steps}, loss {step.loss:.3f}")

        done = pretrain(lambda: neutral_corpus(seed), folder, settings, show)
    console.print(f"{folder}: {done.tokens} tokens, {done.steps} steps, loss {done.loss:.3f}, {done.seconds:.0f} s")
