"""kommunbench: text stays at the site, counts travel, a difference can be trusted."""

__version__ = "0.1.0"
