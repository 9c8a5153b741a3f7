"""The incident context: what went wrong, who works on it, and how it ended.

Owns incidents from the report to the closure, their numbers and priorities, and the intake of monitoring alerts that
open them. Owns no target times (sla), tells nobody (notify), keeps no register of equipment (cmdb): services,
configuration items, organisations, teams and people are opaque ids here.
"""
