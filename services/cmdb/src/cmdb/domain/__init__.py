"""Rules of items, classes and relations. Pure."""
