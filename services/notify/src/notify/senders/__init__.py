"""Providers that take a mail over: the port and its adapters."""
