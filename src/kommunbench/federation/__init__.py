"""Flower: the only room that knows it."""
