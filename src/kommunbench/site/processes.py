"""What a site's processes may inherit, and that none outlives the one that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

KEPT = (
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "HF_HOME", "HF_HUB_CACHE", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "KOMMUNBENCH_HOME",
)  # fmt: skip
"""The only names of the environment that reach a site's processes; tokens and passwords in others stay out."""
SILENT = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_EVALUATE_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
}
"""No library that we know of calls home with these; a test watches every connection."""
_PR_SET_PDEATHSIG = 1


def clean_environment(flwr_home: Path) -> dict[str, str]:
    """The environment of a site's processes."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, **SILENT, "FLWR_HOME": str(flwr_home)}


def end_with_parent() -> None:
    """Let the kernel stop this process when the one that started it is gone (Linux)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
