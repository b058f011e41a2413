"""`kommunbench model export`: what a run trained, merged into its base, as a folder that any tool opens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kommunbench.cli.find import Results

console = Console(soft_wrap=True, highlight=False)


def export(
    source: Annotated[str, typer.Argument(help="A run, by name or folder, or models:/NAME@champion of its MLflow.")],
    to: Annotated[Path, typer.Option("--to", help="A new folder for the merged model.")],
    results: Results = Path("results"),
    tracking_uri: Annotated[
        str, typer.Option(help="MLflow with the registry; by default the one in the results folder.")
    ] = "",
    gguf: Annotated[Path | None, typer.Option(help="llama.cpp's convert_hf_to_gguf.py: write a GGUF file too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of sentences.")] = False,
) -> None:
    """Merge a trained adapter into its base and write the whole model as safetensors, with its tokenizer and licence.

    The base has to be on this machine, and the very one that was trained on. Nothing is downloaded but the adapter.

    Example: kommunbench model export models:/kommunbench-pilot-nano@champion --to exported
    """
    from kommunbench.cli.start_from import resolve
    from kommunbench.models.export import export_gguf, export_merged
    from kommunbench.models.open import card_digest, load_card

    found = resolve(source, results, tracking_uri)
    card = load_card(found.note.model)
    size = export_merged(card, found.note.digest, found.adapter, found.note.train, to, found.origin)
    merged = card.model_copy(update={"path": str(to)})
    told: dict[str, object] = {"folder": str(to), "bytes": size, "digest": card_digest(merged)}
    if gguf is not None:
        told["gguf"] = str(export_gguf(to, gguf))
    if as_json:
        typer.echo(json.dumps(told, indent=1))
        return
    console.print(f"{to}: {found.note.model} with {source} merged, {size / 2**20:.1f} MiB, digest {told['digest']}",
                  markup=False)  # fmt: skip
    if gguf is not None:
        console.print(str(told["gguf"]), markup=False)
