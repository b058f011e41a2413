"""A model that answers with the reference, for tests alone."""
