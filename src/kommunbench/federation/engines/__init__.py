"""Ways to run the same apps: in this process's workers, on Ray, or deployed."""
