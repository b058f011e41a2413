"""Where a site's examples come from, as its own settings say: a folder of its own text, or a generator."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from kommunbench.core.errors import ConfigError, Fault
from kommunbench.core.example import SPLITS
from kommunbench.core.registry import find
from kommunbench.core.task import Task
from kommunbench.site.data import FolderSource, Source, TaskData, from_rows
from kommunbench.site.settings import SiteSettings
from kommunbench.synthetic.organisation import Organisation, Recipe


@dataclass(frozen=True, slots=True)
class SyntheticSource:
    """An invented organisation's rows, made when they are asked for and checked as a file's would be."""

    organisation: Organisation
    recipe: Recipe
    seed: int

    @property
    def site(self) -> str:
        """The organisation's name."""
        return self.organisation.name

    def read(self, task: Task) -> TaskData | None:
        """The task's rows in all splits, or None where the organisation has none."""
        if task.name not in self.organisation.sizes:
            return None
        generate = find("synthetic", task.name)
        rows = chain.from_iterable(generate(self.organisation, split, self.seed, self.recipe) for split in SPLITS)
        return from_rows(rows, task, self.site)


def open_source(settings: SiteSettings) -> Source:
    """The source that the site's settings name.

    Raises:
        ConfigError: a folder source without a folder.
    """
    if settings.source == "synthetic":
        organisation = Organisation.model_validate_json(settings.organisation)
        return SyntheticSource(organisation, Recipe.model_validate_json(settings.recipe), settings.data_seed)
    if settings.data is None:
        raise ConfigError(Fault("no folder with the site's text", "site settings: data", "name the folder"))
    return FolderSource(settings.data, settings.name)
