"""Where a site's examples come from, as its own settings say: a folder of its own text, or a generator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from kommunbench.core.errors import ConfigError, DataError, Fault
from kommunbench.core.example import SPLITS
from kommunbench.core.registry import find
from kommunbench.core.task import Task
from kommunbench.release.identity import Identity
from kommunbench.site.data import Source, TaskData, from_rows, read_examples
from kommunbench.site.files import SUFFIXES
from kommunbench.site.settings import SiteSettings
from kommunbench.synthetic.organisation import Organisation, Recipe


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A site's folder with a file a task.

    Args:
        folder: holds `<task>.jsonl`, `.csv` or `.parquet`.
        site: the site's name.
        key: of the hash that splits; by default made of the site's name.
    """

    folder: Path
    site: str
    key: bytes = b""

    def read(self, task: Task) -> TaskData | None:
        """The file's examples, or None where there is none. Raises DataError where the task has two files."""
        paths = [path for suffix in SUFFIXES if (path := self.folder / f"{task.name}{suffix}").is_file()]
        if len(paths) > 1:
            names = ", ".join(path.name for path in paths)
            raise DataError(Fault(f"one task in several files: {names}", str(self.folder), "keep one of them"))
        return read_examples(paths[0], task, self.site, self.key) if paths else None


@dataclass(frozen=True, slots=True)
class SyntheticSource:
    """Invented organisations' rows, made when they are asked for and checked as a file's would be.

    A site is one organisation. Several together are what a federation is measured against, for no real text can be
    pooled; their rows' ids and groups then bear the organisation's name.
    """

    organisations: tuple[Organisation, ...]
    recipe: Recipe
    seed: int = 0

    @property
    def site(self) -> str:
        """The organisations' names."""
        return "+".join(organisation.name for organisation in self.organisations)

    def read(self, task: Task) -> TaskData | None:
        """The task's rows in all splits, or None where no organisation has any.

        Raises:
            ConfigError: an organisation has rows of a task that nothing generates.
        """
        having = [organisation for organisation in self.organisations if task.name in organisation.sizes]
        if not having:
            return None
        return from_rows(chain.from_iterable(self._rows(task.name, one) for one in having), task, self.site)

    def _rows(self, task: str, organisation: Organisation) -> Iterator[dict[str, Any]]:
        generate = find("synthetic", task)
        for row in chain.from_iterable(generate(organisation, split, self.seed, self.recipe) for split in SPLITS):
            if len(self.organisations) > 1:
                row = row | {name: f"{organisation.name}/{row[name]}" for name in ("id", "group") if name in row}
            yield row


def open_source(settings: SiteSettings) -> Source:
    """The source that the site's settings name.

    Raises:
        ConfigError: a folder source without a folder; an organisation or a recipe that is not one.
    """
    if settings.source == "synthetic":
        try:
            organisations = tuple(Organisation.model_validate_json(one) for one in settings.organisations)
            recipe = Recipe.model_validate_json(settings.recipe)
        except ValueError:
            raise ConfigError(
                Fault("organisation or recipe is not one", "site settings", "write both as JSON")
            ) from None
        if not organisations:
            raise ConfigError(Fault("no organisation to make text for", "site settings: organisations", "name one"))
        return SyntheticSource(organisations, recipe, settings.data_seed)
    if settings.data is None:
        raise ConfigError(Fault("no folder with the site's text", "site settings: data", "name the folder"))
    key = Identity.of(settings.home).derive("split") if settings.own_split else b""
    return FolderSource(settings.data, settings.name, key)
