"""Files and discovery runs to commands: reading, matching, and what became of each line."""
