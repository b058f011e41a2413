"""Tiny models of several architectures; see tests/tiny_models.py."""

from __future__ import annotations

import pytest

from kommunbench.core.model import ModelCard
from tiny_models import make


@pytest.fixture(scope="session", params=["llama", "lfm2", "gpt2", "t5"])
def any_card(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    return make(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="session")
def lfm2_card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    return make(tmp_path_factory.mktemp("lfm2"), "lfm2")
