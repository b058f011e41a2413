"""Synthetic municipalities: deterministic, seeded, non-IID."""
