"""Training with privacy: differential privacy and the memorisation gate."""
