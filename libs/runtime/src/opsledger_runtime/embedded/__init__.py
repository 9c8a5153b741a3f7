"""Real Postgres and NATS servers from wheels, for one machine without Docker (D14).

Owns the data folder: its lock, ports, secrets, child servers, databases, roles and users of the bus. Refuses to know
which services there are; contexts and durables are parameters.
"""
