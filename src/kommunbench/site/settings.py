"""What a site knows about itself. Municipal IT writes it, or the simulation does in its place; a run never does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kommunbench.core.errors import ConfigError, Fault

EVALUATIONS = "evaluations"
"""The folder in a site's home where it keeps tallies from run to run."""


class SiteSettings(BaseModel):
    """One site's own settings.

    Args:
        name: the name it is registered under at the coordinator.
        home: the site's own folder: `site.yaml` (its policy), the ledger, its log, what it keeps of a run.
        source: where its examples are: `folder` reads `data` as `<task>.jsonl|csv|parquet`; `synthetic` makes them.
        data: that folder, for `source=folder`.
        organisations, recipe: what is made, as JSON, for `source=synthetic`; several make the central node's data.
        ledger: the ledger's file; by default in `home`.
        own_split: rows that do not say their split are split by a key derived from the site's own, not from its name.
        evaluations: where per-example tallies are kept from run to run; by default in `home`.
        trainings: where a simulated site keeps trained adapters from run to run; None, as at a real site: nowhere.
        conf, tasks: folders with the site's own model cards and tasks, before the installed ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    name: str
    home: Path
    source: Literal["folder", "synthetic"] = "folder"
    data: Path | None = None
    organisations: tuple[str, ...] = ()
    recipe: str = "{}"
    data_seed: int = 0
    ledger: Path | None = None
    own_split: bool = False
    evaluations: Path | None = None
    trainings: Path | None = None
    conf: tuple[Path, ...] = ()
    tasks: tuple[Path, ...] = ()
    threads: int = Field(0, ge=0, description="CPU threads for models; 0: all of the process's cores")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where models run; auto: CUDA where it is")
    connector: Path | None = Field(
        None, description="socket by which endpoints are asked; None: by this process itself"
    )

    @property
    def policy_path(self) -> Path:
        """The site's own policy."""
        return self.home / "site.yaml"

    @property
    def ledger_path(self) -> Path:
        """Where a line is written before anything leaves."""
        return self.ledger or self.home / "ledger.jsonl"

    @property
    def evaluations_path(self) -> Path:
        """Where per-example tallies are kept, as long as the site's policy says."""
        return self.evaluations or self.home / EVALUATIONS

    @classmethod
    def from_node_config(cls, node_config: Mapping[str, Any]) -> SiteSettings:
        """Read the settings that the site's own node was started with (key `site`, one JSON string).

        Raises:
            ConfigError: absent or broken.
        """
        try:
            return cls.model_validate_json(str(node_config["site"]))
        except (KeyError, ValueError):
            raise ConfigError(
                Fault("the node was started without its site's settings", "node config", "key 'site'")
            ) from None
