"""Foreign payloads to commands, one source per file."""
