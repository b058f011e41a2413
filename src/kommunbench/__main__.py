"""`python -m kommunbench`."""

from kommunbench.cli import main

main()
