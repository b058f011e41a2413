"""`make mutants` breaks the door some thousands of times: what notices in milliseconds is asked before what searches.

The profile `mutants` searches with fewer examples, always the same ones, and keeps none; a test that states its own
number of examples keeps that. A change that only the long search finds is run again under the ordinary profile.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, is_hypothesis_test, settings

settings.register_profile(
    "mutants",
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests by search last, where the code is broken on purpose."""
    if "MUTANT_UNDER_TEST" in os.environ:
        items.sort(key=lambda item: is_hypothesis_test(getattr(item, "obj", None)))
