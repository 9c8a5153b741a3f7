"""A new installation's classes of items, after ITIL and common practice. Safe to run again.

Who must answer by name is R34's: an administrator for what somebody has to log in to and mend, a database
administrator for databases. What somebody has redefined since is left alone.
"""

from typing import TYPE_CHECKING, Any, Final

from cmdb.domain.classes import CLASS, ClassDefinition
from opsledger_events.contexts.cmdb import AttributeDefinition
from opsledger_runtime import ids
from opsledger_runtime.store import EventStore, Metadata, Transaction

if TYPE_CHECKING:
    from opsledger_runtime.running import Running


def class_id(key: str) -> str:
    """The aggregate of a class."""
    return str(ids.derived_id("item_class", key))


def _attribute(key: str, name_zh: str, name_en: str, kind: Any = "text", **more: Any) -> AttributeDefinition:
    return AttributeDefinition(key=key, name_zh=name_zh, name_en=name_en, kind=kind, **more)


_MAKER: Final = (_attribute("vendor", "厂商", "Vendor"), _attribute("model", "型号", "Model"))
_BOUGHT: Final = (*_MAKER, _attribute("warranty_until", "保修截止", "Warranty until", "date"))
_ADDRESS: Final = _attribute("ip_address", "IP 地址", "IP address", "ip_address")
_SIZE: Final = (
    _attribute("cpu_count", "CPU 数", "CPUs", "integer", minimum=1, maximum=4096),
    _attribute("memory_gib", "内存（GiB）", "Memory (GiB)", "integer", minimum=0, maximum=1_048_576),
)
_SYSTEM: Final = _attribute("operating_system", "操作系统", "Operating system")
_VERSION: Final = _attribute("version", "版本", "Version")
_PORT: Final = _attribute("port", "端口", "Port", "integer", minimum=1, maximum=65535)
_URL: Final = _attribute("url", "网址", "URL", "url")

BUILT_IN: Final = (
    ClassDefinition("business_service", "业务服务", "Business service", (_URL,), is_service=True),
    ClassDefinition("application", "应用系统", "Application", (_VERSION, _URL), needs_administrator=True),
    ClassDefinition("middleware", "中间件", "Middleware", (*_MAKER, _VERSION, _PORT), needs_administrator=True),
    ClassDefinition(
        "database",
        "数据库",
        "Database",
        (_attribute("engine", "引擎", "Engine"), _VERSION, _PORT),
        needs_administrator=True,
        needs_database_administrator=True,
    ),
    ClassDefinition("cluster", "集群", "Cluster", (_VERSION,), needs_administrator=True),
    ClassDefinition("server", "物理服务器", "Server", (*_BOUGHT, _ADDRESS, *_SIZE, _SYSTEM), needs_administrator=True),
    ClassDefinition(
        "virtual_machine", "虚拟机", "Virtual machine", (_ADDRESS, *_SIZE, _SYSTEM), needs_administrator=True
    ),
    ClassDefinition("container", "容器", "Container", (_attribute("image", "镜像", "Image"), _VERSION)),
    ClassDefinition("storage", "存储", "Storage", (*_BOUGHT, _ADDRESS), needs_administrator=True),
    ClassDefinition("network_device", "网络设备", "Network device", (*_BOUGHT, _ADDRESS), needs_administrator=True),
    ClassDefinition("security_device", "安全设备", "Security device", (*_BOUGHT, _ADDRESS), needs_administrator=True),
    ClassDefinition("facility", "机房设施", "Facility", (*_BOUGHT, _attribute("place", "位置", "Place"))),
    ClassDefinition("end_user_device", "终端设备", "End-user device", (*_BOUGHT, _ADDRESS, _SYSTEM)),
)


async def seed(running: "Running") -> None:
    """Define the classes that there are none of."""
    await seed_store(running.store)


async def seed_store(store: EventStore) -> None:
    """As `seed`, for a store alone."""

    async def work(tx: Transaction) -> None:
        known = await tx.load_many(CLASS, [class_id(one.key) for one in BUILT_IN])
        for one in BUILT_IN:
            if known[class_id(one.key)].version == 0:
                metadata = Metadata(command_id=ids.derived_id("seed", class_id(one.key)), actor="service:cmdb")
                await tx.execute(CLASS, class_id(one.key), one, metadata)

    await store.run(work)
