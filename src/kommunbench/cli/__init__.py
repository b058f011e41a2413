"""The command line: coordinator, site, tasks."""
