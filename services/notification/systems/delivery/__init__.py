"""How events reach other systems: in order for each dossier, at least once, however long the other side is away."""
