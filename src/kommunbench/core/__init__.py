"""The nouns and what they promise; imports nothing else of kommunbench."""
