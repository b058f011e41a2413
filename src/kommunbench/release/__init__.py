"""The door: everything that leaves a site goes through here."""
