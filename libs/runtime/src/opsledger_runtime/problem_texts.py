"""The texts of problems in English and Chinese, by code. A domain's own texts stay as it gave them."""

from collections.abc import Mapping
from typing import Any, Final

DEFAULT: Final = "en"
LANGUAGES: Final = ("en", "zh-CN")

# code: (title, detail) in English, then in Chinese
_PROBLEMS: Final[dict[str, tuple[tuple[str, str], tuple[str, str]]]] = {
    "bad_request": (
        ("Bad request", "The request is malformed. A header or parameter is garbled or given twice."),
        ("请求无效", "请求格式有误：某个请求头或参数不完整或重复。"),
    ),
    "malformed_json": (
        ("Malformed JSON", "The body is not JSON: see line {line}, column {column}."),
        ("JSON 格式错误", "请求体不是有效的 JSON：见第 {line} 行第 {column} 列。"),
    ),
    "duplicate_key": (
        ("Duplicate key", "The key {key!r} occurs twice in one object. Keep one."),
        ("重复的键", "同一对象中键 {key!r} 出现了两次，请只保留一个。"),
    ),
    "not_utf8": (
        ("Not UTF-8", "The body is not UTF-8 at byte {at}."),
        ("不是 UTF-8", "请求体在第 {at} 字节处不是 UTF-8 编码。"),
    ),
    "bad_path": (
        ("Bad address", "The path or query holds a NUL character or is not UTF-8."),
        ("地址无效", "路径或查询参数含有 NUL 字符或不是 UTF-8 编码。"),
    ),
    "bad_if_match": (
        ("Bad If-Match", 'If-Match takes one strong version as you read it in ETag, for example "3"; no list, no *.'),
        ("If-Match 无效", 'If-Match 须为读取时 ETag 给出的一个强版本号，例如 "3"；不接受列表或 *。'),
    ),
    "bad_idempotency_key": (
        ("Bad Idempotency-Key", "An Idempotency-Key has 1 to 255 visible ASCII characters without spaces."),
        ("Idempotency-Key 无效", "Idempotency-Key 须为 1 到 255 个可见 ASCII 字符，不含空格。"),
    ),
    "idempotency_key_required": (
        (
            "Idempotency-Key required",
            "Programs must name each command, so that a repeat is recognised. Send Idempotency-Key.",
        ),
        ("需要 Idempotency-Key", "程序调用必须为每个命令命名，以便识别重复请求。请发送 Idempotency-Key。"),
    ),
    "bad_position": (
        (
            "Bad Opsledger-Position",
            "Opsledger-Position is <context>:<number> or <context>:pending, separated by commas.",
        ),
        ("Opsledger-Position 无效", "Opsledger-Position 的格式为 <上下文>:<序号> 或 <上下文>:pending，以逗号分隔。"),
    ),
    "unauthenticated": (
        ("Not signed in", "Send a bearer token in the Authorization header."),
        ("未登录", "请在 Authorization 请求头中发送 Bearer 令牌。"),
    ),
    "bad_token": (
        ("Token not accepted", "The token is expired, garbled, or was issued for another place. Get a new one."),
        ("令牌无效", "令牌已过期、已损坏或不是为本系统签发的，请重新获取。"),
    ),
    "role_forbidden": (
        ("Not allowed", "Your role may not do {action}. It takes one of: {roles}."),
        ("没有权限", "您的角色不能执行 {action}，需要以下角色之一：{roles}。"),
    ),
    "forbidden": (("Not allowed", "You may not do this."), ("没有权限", "您不能执行此操作。")),
    "no_such_path": (
        ("No such address", "There is nothing at this address. /docs lists what there is."),
        ("地址不存在", "此地址没有内容，可用地址见 /docs。"),
    ),
    "not_found": (("Not found", "There is no such thing."), ("未找到", "所请求的对象不存在。")),
    "method_not_allowed": (
        ("Method not allowed", "This address takes another method; the Allow header lists them."),
        ("方法不允许", "此地址不支持该方法，可用方法见 Allow 响应头。"),
    ),
    "body_too_slow": (
        ("Body too slow", "The body did not arrive within {seconds} seconds."),
        ("请求体过慢", "请求体未在 {seconds} 秒内到达。"),
    ),
    "in_flight": (
        (
            "Still being worked on",
            "The first request with this Idempotency-Key is still being worked on. Repeat in a moment.",
        ),
        ("正在处理", "使用此 Idempotency-Key 的首个请求仍在处理，请稍后重试。"),
    ),
    "conflict": (
        ("Conflict", "It contradicts something that is already there."),
        ("冲突", "与已有数据冲突。"),
    ),
    "version_conflict": (
        ("Changed meanwhile", "It has changed since you read it. Read it again and repeat."),
        ("内容已变更", "您读取之后内容已被修改，请重新读取后再试。"),
    ),
    "rule_violated": (("A rule forbids it", "A rule forbids it."), ("违反规则", "规则不允许此操作。")),
    "body_too_large": (
        ("Body too large", "The body is larger than {limit} bytes."),
        ("请求体过大", "请求体超过 {limit} 字节。"),
    ),
    "headers_too_large": (
        ("Headers too large", "The headers together are larger than {limit} bytes."),
        ("请求头过大", "请求头总计超过 {limit} 字节。"),
    ),
    "unsupported_media_type": (
        ("Wrong content type", "Send the body as application/json in UTF-8."),
        ("内容类型不支持", "请以 application/json（UTF-8）发送请求体。"),
    ),
    "unsupported_file_type": (
        ("Wrong content type", "Send the file as {media}."),
        ("内容类型不支持", "请以 {media} 发送文件。"),
    ),
    "unsupported_encoding": (
        ("Compressed body", "Send the body without Content-Encoding."),
        ("不支持压缩", "请勿使用 Content-Encoding 压缩请求体。"),
    ),
    "nul_character": (
        ("NUL character", "The text holds a NUL character. Remove it."),
        ("含 NUL 字符", "文本含有 NUL 字符，请删除。"),
    ),
    "lone_surrogate": (
        ("Broken character", "The text holds half of a surrogate pair, which is no character. Remove it."),
        ("字符不完整", "文本含有不成对的代理字符，请删除。"),
    ),
    "number_out_of_range": (
        ("Number out of range", "The number {number} cannot be carried exactly. Whole numbers go to 9007199254740991."),
        ("数值超出范围", "数值 {number} 无法精确传递，整数最大为 9007199254740991。"),
    ),
    "too_deep": (
        ("Nested too deep", "The body is nested deeper than {depth} levels."),
        ("嵌套过深", "请求体嵌套超过 {depth} 层。"),
    ),
    "not_storable": (
        ("Value not storable", "A value is too large or holds characters that cannot be stored."),
        ("无法存储", "某个值过大或含有无法存储的字符。"),
    ),
    "invalid": (
        ("Invalid input", "Some values are wrong; `errors` says which."),
        ("输入无效", "部分输入有误，详见 errors。"),
    ),
    "idempotency_key_reused": (
        ("Idempotency-Key reused", "This Idempotency-Key was used for another request. Take a new one."),
        ("Idempotency-Key 已被使用", "此 Idempotency-Key 已用于其他请求，请更换。"),
    ),
    "if_match_required": (
        ("If-Match required", "This replaces something. Send the ETag that you read as If-Match."),
        ("需要 If-Match", "此操作会替换已有内容，请将读取时的 ETag 作为 If-Match 发送。"),
    ),
    "too_many_requests": (
        ("Too many requests", "Too many commands are waiting. Repeat after the time in Retry-After."),
        ("请求过多", "等待处理的命令过多，请按 Retry-After 的时间后重试。"),
    ),
    "backlog_full": (
        ("Backlog full", "{backlog} events wait to be distributed. Repeat after the time in Retry-After."),
        ("积压已满", "有 {backlog} 个事件等待分发，请按 Retry-After 的时间后重试。"),
    ),
    "disk_full": (
        ("Disk nearly full", "The disk is nearly full, so nothing new is taken. An operator must make room."),
        ("磁盘将满", "磁盘空间即将用尽，暂不接受新数据，请联系运维人员清理。"),
    ),
    "internal": (
        ("Something broke", "This is a fault of ours and has been logged with the trace_id."),
        ("系统故障", "这是系统自身的故障，已按 trace_id 记录。"),
    ),
    "unavailable": (
        (
            "Not available just now",
            "A server that this needs does not answer. Repeat later with the same Idempotency-Key: whether the command "
            "had its effect is then certain.",
        ),
        ("暂时不可用", "所依赖的服务器没有响应。请稍后使用相同的 Idempotency-Key 重试，即可确认命令是否生效。"),
    ),
    "store_behind": (
        (
            "Store not known to be whole",
            "The bus is away since the service {service} started, or holds events that its database has lost, so it "
            "takes no command. If the bus is there, an operator must restore a newer backup of the database.",
        ),
        (
            "数据完整性待确认",
            "服务 {service} 启动以来总线不可用，或总线上有其数据库已丢失的事件，因此暂不接受命令。"
            "若总线正常，须由运维人员恢复较新的数据库备份。",
        ),
    ),
}

# pydantic's type of error: Chinese text; in English pydantic's own message stands
_FIELDS_ZH: Final[dict[str, str]] = {
    "missing": "此项必填",
    "extra_forbidden": "不认识此项",
    "string_type": "应为文本",
    "string_too_short": "至少 {min_length} 个字符",
    "string_too_long": "至多 {max_length} 个字符",
    "string_pattern_mismatch": "格式应为 {pattern}",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "int_from_float": "应为整数",
    "bool_type": "应为 true 或 false",
    "bool_parsing": "应为 true 或 false",
    "list_type": "应为列表",
    "too_short": "至少 {min_length} 项",
    "too_long": "至多 {max_length} 项",
    "dict_type": "应为对象",
    "model_type": "应为对象",
    "model_attributes_type": "应为对象",
    "enum": "应为 {expected} 之一",
    "literal_error": "应为 {expected} 之一",
    "uuid_parsing": "应为 UUID",
    "uuid_type": "应为 UUID",
    "datetime_parsing": "应为 RFC 3339 时刻",
    "datetime_from_date_parsing": "应为 RFC 3339 时刻",
    "datetime_type": "应为 RFC 3339 时刻",
    "timezone_aware": "时刻须带时区偏移",
    "greater_than": "应大于 {gt}",
    "greater_than_equal": "应不小于 {ge}",
    "less_than": "应小于 {lt}",
    "less_than_equal": "应不大于 {le}",
}


def text(code: str, language: str, values: Mapping[str, Any] | None = None) -> tuple[str, str]:
    """Title and detail of a problem; unknown codes get the texts of `invalid`."""
    english, chinese = _PROBLEMS.get(code) or _PROBLEMS["invalid"]
    title, detail = chinese if language == "zh-CN" else english
    return title, detail.format(**values) if values else detail


def codes() -> frozenset[str]:
    """Every code that has a text."""
    return frozenset(_PROBLEMS)


def field_text(kind: str, language: str, values: Mapping[str, Any], given: str) -> str:
    """What is wrong with one value; `given` where there is no text in the language."""
    if language != "zh-CN" or kind not in _FIELDS_ZH:
        return given
    return _FIELDS_ZH[kind].format(**values)


def choose(header: str | None) -> str:
    """The language of an Accept-Language header (RFC 9110 §12.5.4): zh in any form is zh-CN, else English."""
    best, language = 0.0, DEFAULT
    for part in (header or "")[:500].split(","):
        tag, _, parameter = part.strip().partition(";")
        primary = tag.strip().lower().split("-")[0]
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter.strip() else 1.0
        except ValueError:
            quality = 0.0
        if primary in ("zh", "en") and quality > best:
            best, language = quality, "zh-CN" if primary == "zh" else "en"
    return language
