"""Read models of incidents, one per file."""
