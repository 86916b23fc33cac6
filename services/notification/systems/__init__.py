"""Other government systems hear what happens to dossiers, by webhook, and the national portal by its own protocol."""
