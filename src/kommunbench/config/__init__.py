"""What a run is told: Hydra composes it (`hydra.py`), pydantic checks it (`settings.py`)."""
