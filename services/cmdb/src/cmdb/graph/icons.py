"""The shape that stands for a class of items: 24 by 24 pixels of lines, drawn with the colour of its card. Pure."""

from typing import Final

_SHAPES: Final[dict[str, str]] = {
    "service": '<path d="M12 2.5 20.5 7.2v9.6L12 21.5 3.5 16.8V7.2z"/><path d="m8 12 2.8 2.8L16 9.4"/>',
    "application": '<rect x="3" y="4.5" width="18" height="15" rx="2"/><path d="M3 9h18M6 6.8h.01M8.8 6.8h.01"/>',
    "database": '<ellipse cx="12" cy="5.6" rx="7.5" ry="2.8"/>'
    '<path d="M4.5 5.6v12.8c0 1.5 3.4 2.8 7.5 2.8s7.5-1.3 7.5-2.8V5.6'
    'M4.5 12c0 1.5 3.4 2.8 7.5 2.8s7.5-1.3 7.5-2.8"/>',
    "server": '<rect x="3.5" y="3.5" width="17" height="7" rx="1.5"/>'
    '<rect x="3.5" y="13.5" width="17" height="7" rx="1.5"/><path d="M7 7h.01M7 17h.01M11 7h6M11 17h6"/>',
    "network": '<circle cx="12" cy="12" r="9"/>'
    '<path d="M6.5 10h9l-2.5-2.5M17.5 14h-9l2.5 2.5"/>',
    "firewall": '<rect x="3" y="4" width="18" height="16" rx="1"/>'
    '<path d="M3 9.3h18M3 14.6h18M9 4v5.3M15 9.3v5.3M9 14.6V20"/>',
    "storage": '<rect x="3" y="13" width="18" height="7" rx="1.5"/>'
    '<path d="M5 13 7.5 4.5h9L19 13M7 16.5h.01M11 16.5h6"/>',
    "terminal": '<rect x="3" y="4" width="18" height="12" rx="1.5"/><path d="M12 16v4M8 20h8"/>',
    "place": '<path d="M4 20.5V4.5h10v16M14 9.5h6v11M2.5 20.5h19M7 8.5h4M7 12.5h4M7 16.5h4"/>',
    "power": '<path d="M13 2.5 5 13.5h6l-1 8 8-11h-6z"/>',
    "item": '<path d="m12 2.8 8 4.4v9.6l-8 4.4-8-4.4V7.2zM4 7.2l8 4.5 8-4.5M12 11.7v9.5"/>',
}  # fmt: skip

_WORDS: Final = (
    ("database", ("database", "db", "schema")),
    ("firewall", ("firewall", "security", "waf")),
    ("storage", ("storage", "san", "nas", "disk", "backup")),
    ("network", ("network", "switch", "router", "link", "port", "balancer", "loadbalancer", "address", "ip", "vpn")),
    ("place", ("facility", "room", "site", "rack", "cabinet", "building", "location", "datacenter")),
    ("power", ("ups", "power", "cooling", "pdu", "hvac")),
    ("terminal", ("workstation", "desktop", "laptop", "printer", "terminal", "endpoint", "phone", "user")),
    ("server", ("server", "host", "machine", "vm", "hypervisor", "cluster", "node", "container", "kubernetes")),
    ("application", ("application", "app", "software", "middleware", "process", "system", "component")),
    ("service", ("service",)),
)


def shape_of(item_class: str, is_service: bool = False) -> str:
    """The name of the shape for a class, by the words of its key; a class nobody thought of is a box."""
    if is_service:
        return "service"
    words = set(item_class.lower().replace("-", "_").split("_"))
    return next((shape for shape, known in _WORDS if words & set(known)), "item")


def lines_of(shape: str) -> str:
    """The shape's lines as SVG, without colours."""
    return _SHAPES[shape]
