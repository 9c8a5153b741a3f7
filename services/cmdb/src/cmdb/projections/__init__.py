"""Read models of the register, each inline."""
