"""Rules of notify without clock, randomness or I/O."""
