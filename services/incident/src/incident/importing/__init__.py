"""Histories from other systems: read, mapped to events, recorded. Nothing here judges what happened there."""
