"""Event classes by bounded context."""
