"""The command line: everything in one process with servers of its own, or chosen services with given ones.

Owns how the parts are put together for a person at a terminal. Refuses rules of the domain; they live in the services.
"""
