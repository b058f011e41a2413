"""What this package adds to kommunbench: see pyproject.toml."""
