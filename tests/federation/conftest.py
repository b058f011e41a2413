"""Fixtures of the federation's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from federated_folder import three_sites


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three sites of uneven size."""
    return three_sites(tmp_path / "data")
