"""Items and what they depend on, as a network: walking it, comparing it, drawing it. Pure."""
