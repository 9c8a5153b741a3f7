"""The pure rules of incidents: no clock, no randomness, no input or output."""
