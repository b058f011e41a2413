"""What happens inside a municipality."""
