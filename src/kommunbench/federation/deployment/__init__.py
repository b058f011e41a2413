"""A real federation: the coordinator's folder, what it invites sites with, and Flower's deployment engine."""
