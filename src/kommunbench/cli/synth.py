"""`kommunbench synth`: a synthetic federation as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kommunbench.core.errors import ConfigError, Fault

synth = typer.Typer()
console = Console()


@synth.command()
def write(
    folder: Annotated[Path, typer.Argument(help="Written as DIR/<site>/<task>.jsonl.")],
    words: Annotated[list[str] | None, typer.Argument(help="Settings, as after `kommunbench run`.")] = None,
) -> None:
    """Write a synthetic federation to disk: invented organisations, harmless text, the same for the same seed.

    Example: kommunbench synth data/pilot federation=pilot seed=7 synthetic.hard_share=0.5
    """
    from kommunbench.config.hydra import compose_settings
    from kommunbench.config.settings import SyntheticFederation
    from kommunbench.synthetic.folder import write_federation

    settings = compose_settings(words or [])
    if not isinstance(settings.federation, SyntheticFederation):
        raise ConfigError(Fault(f"{settings.federation.name} is not synthetic", "federation", "federation=pilot"))
    for file in write_federation(settings.federation.sites.values(), folder, settings.seed, settings.synthetic):
        console.print(f"{file.path}  {file.rows} rows", highlight=False, soft_wrap=True)
    console.print(
        f"Syntetiska data. Run on it: kommunbench run federation=folder federation.path={folder}", soft_wrap=True
    )
