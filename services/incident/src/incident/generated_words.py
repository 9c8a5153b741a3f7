"""The words that generated incidents are made of, in Chinese and English: what broke, where, and what helped.

Owns nothing else. Only invented places and kinds of equipment; nobody is named.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that breaks: who looks after it, how it is named, and what people say of it in both languages."""

    service: str
    category: str
    team: str
    item: str
    thing: tuple[str, str]
    faults: tuple[tuple[str, str], ...]
    remedies: tuple[tuple[str, str], ...]


SUBJECTS: Final = (
    Subject(
        "core-network",
        "network",
        "network",
        "sw-core",
        ("核心交换机", "Core switch"),
        (("端口反复中断", "port flaps"), ("丢包严重", "loses packets"), ("光模块告警", "transceiver alarm")),
        (("更换光模块", "Replaced the transceiver"), ("重新插拔光纤", "Reseated the fibre")),
    ),
    Subject(
        "wireless",
        "network",
        "network",
        "ap",
        ("无线接入点", "Wireless access point"),
        (("无法连接", "cannot be joined"), ("信号弱", "has a weak signal"), ("频繁掉线", "drops its clients")),
        (("调整信道", "Changed the channel"), ("更换接入点", "Replaced the access point")),
    ),
    Subject(
        "printing",
        "hardware",
        "desktop",
        "prn",
        ("打印机", "Printer"),
        (
            ("卡纸", "jams"),
            ("打印空白页", "prints blank pages"),
            ("脱机", "is offline"),
            ("墨粉不足", "is low on toner"),
        ),
        (("清理走纸通道", "Cleared the paper path"), ("更换硒鼓", "Replaced the drum")),
    ),
    Subject(
        "workplace",
        "hardware",
        "desktop",
        "pc",
        ("台式机", "Workstation"),
        (("无法开机", "does not start"), ("蓝屏", "shows a blue screen"), ("运行缓慢", "is slow")),
        (("更换内存", "Replaced the memory"), ("重装系统", "Installed the system anew")),
    ),
    Subject(
        "erp",
        "application",
        "business-applications",
        "erp",
        ("财务系统", "Finance system"),
        (
            ("登录失败", "login fails"),
            ("报表导出超时", "export of a report times out"),
            ("凭证无法过账", "cannot post"),
        ),
        (("重启应用服务", "Restarted the application"), ("修正权限配置", "Corrected the permissions")),
    ),
    Subject(
        "mail",
        "application",
        "collaboration",
        "mx",
        ("邮件系统", "Mail"),
        (("无法发送附件", "attachments are not sent"), ("收信延迟", "arrives late"), ("邮箱已满", "mailbox is full")),
        (("清理队列", "Cleared the queue"), ("扩大配额", "Raised the quota")),
    ),
    Subject(
        "patient-records",
        "application",
        "business-applications",
        "his",
        ("病历系统", "Records system"),
        (("打开缓慢", "opens slowly"), ("检验结果缺失", "misses results"), ("界面无响应", "does not respond")),
        (("重建索引", "Rebuilt an index"), ("补传接口数据", "Sent the interface's data again")),
    ),
    Subject(
        "storage",
        "infrastructure",
        "servers",
        "nas",
        ("共享存储", "Shared storage"),
        (("空间不足", "is running full"), ("磁盘故障", "has a failed disk"), ("访问被拒绝", "denies access")),
        (("更换磁盘", "Replaced the disk"), ("扩容卷", "Grew the volume")),
    ),
    Subject(
        "database",
        "infrastructure",
        "servers",
        "db",
        ("数据库", "Database"),
        (("连接数耗尽", "has no connections left"), ("主从延迟", "replica lags"), ("备份失败", "backup failed")),
        (("调整连接池", "Resized the pool"), ("重新执行备份", "Ran the backup again")),
    ),
    Subject(
        "video",
        "application",
        "collaboration",
        "cam",
        ("视频会议", "Video conference"),
        (("没有声音", "has no sound"), ("画面卡顿", "picture freezes"), ("无法入会", "cannot be joined")),
        (("更新固件", "Updated the firmware"), ("更换麦克风", "Replaced the microphone")),
    ),
    Subject(
        "access-control",
        "facility",
        "facility",
        "door",
        ("门禁", "Door reader"),
        (("刷卡无效", "rejects cards"), ("无法关闭", "does not close"), ("误报警", "raises false alarms")),
        (("更换读卡器", "Replaced the reader"), ("重新下发权限", "Loaded the permissions again")),
    ),
    Subject(
        "power",
        "facility",
        "facility",
        "ups",
        ("不间断电源", "UPS"),
        (("电池老化", "battery is worn"), ("切换旁路", "went to bypass"), ("温度过高", "is too warm")),
        (("更换电池组", "Replaced the batteries"), ("清理风扇", "Cleaned the fans")),
    ),
)

PLACES: Final = (
    ("门诊楼", "outpatient building"),
    ("住院楼", "ward building"),
    ("行政楼", "administration building"),
    ("数据中心", "data centre"),
    ("物流仓库", "warehouse"),
    ("营业大厅", "service hall"),
    ("东校区", "east campus"),
    ("西校区", "west campus"),
    ("生产车间", "production hall"),
    ("客服中心", "call centre"),
)

WAITING: Final = (
    ("awaiting_requester", "等待用户提供序列号 / waiting for the serial number"),
    ("awaiting_requester", "用户不在现场 / the requester is away"),
    ("awaiting_vendor", "等待厂商备件 / waiting for the vendor's spare part"),
    ("awaiting_third_party", "运营商正在处理 / the carrier is working on it"),
    ("awaiting_change", "等待变更窗口 / waiting for the change window"),
)

NOTES: Final = (
    "已联系用户确认现象。",
    "Reproduced on site.",
    "日志中未见异常，继续观察。",
    "Collected logs and sent them to the vendor.",
    "临时切换到备用设备 / moved to the spare for now",
)

REOPENED: Final = ("故障再次出现。", "The fault came back within the hour.")

CANCELLED: Final = ("重复报障。", "Reported twice.", "测试工单，无需处理。")
