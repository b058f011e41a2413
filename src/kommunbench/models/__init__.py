"""One model family a file, the generation loop, adapters."""
