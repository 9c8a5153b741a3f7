"""What `opsledger apply` and `opsledger export` say, in English and in Chinese."""

from collections.abc import Mapping
from typing import Any, Final

from opsledger.applying_yaml import Trouble

_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "told": ("{detail}", "{detail}"),
    # reading
    "no_yaml": ("This is no YAML: {why}.", "不是有效的 YAML：{why}。"),
    "control_character": ("The character {character} cannot stand in YAML.", "YAML 中不能出现字符 {character}。"),
    "not_utf8": ("The file is not UTF-8. Save it as UTF-8.", "文件不是 UTF-8 编码，请另存为 UTF-8。"),
    "too_large": ("The file has more than {bytes} bytes. Split it.", "文件超过 {bytes} 字节，请拆分。"),
    "too_many_values": (
        "The file holds more than {count} values, aliases counted as often as they stand. Split it.",
        "文件中的值超过 {count} 个（别名按出现次数计），请拆分。",
    ),
    "too_deep": ("Values lie more than {depth} levels deep.", "嵌套超过 {depth} 层。"),
    "leading_zero": (
        'Whether {text} is a number or text is not certain. Write a time of day as "08:00", a text in quotes, a number'
        " without leading zeros.",
        '无法确定 {text} 是数字还是文本。时间请写成 "08:00"，文本请加引号，数字请去掉开头的零。',
    ),
    "odd_number": (
        "The number {text} cannot be used. Write it in digits, or in quotes where it is text.",
        "不能使用数字 {text}。请写成十进制数字；如为文本请加引号。",
    ),
    "unsendable": (
        "The text holds a NUL character or half a character (\\ud800 to \\udfff). Write the character itself.",
        "文本含有 NUL 字符或半个字符（\\ud800 至 \\udfff），请直接写出该字符。",
    ),
    "tag": ("Tags such as {tag} are not read. Leave it out.", "不支持标签 {tag}，请去掉。"),
    "other_version": ("Files are read as YAML 1.2. Remove the %YAML line.", "文件按 YAML 1.2 读取，请删去 %YAML 行。"),
    "no_such_anchor": ("No value before this one has the anchor &{name}.", "此前没有锚点为 &{name} 的值。"),
    "merge_key": (
        "Merge keys (<<) are not part of YAML 1.2. Write the fields out, or alias the whole value.",
        "YAML 1.2 没有合并键（<<）。请写出各字段，或对整个值使用别名。",
    ),
    "key_twice": (
        "{key} is given twice; the first is in line {line}. Keep one.",
        "{key} 写了两次，第一次在第 {line} 行，请保留一个。",
    ),
    "no_key": ("A key is a text. Put it in quotes.", "键必须是文本，请加引号。"),
    "unreadable": ("{file} cannot be read: {why}.", "无法读取 {file}：{why}。"),
    "no_files": (
        "There is no .yaml or .yml file in the folder {file}. Folders inside it are not looked into.",
        "文件夹 {file} 中没有 .yaml 或 .yml 文件（不含子文件夹）。",
    ),
    "too_many_files": ("There are more than {count} files. Apply them in parts.", "文件超过 {count} 个，请分批应用。"),
    "nothing": ("There is no document in {files}.", "{files} 中没有任何文档。"),
    # documents
    "no_mapping": ("{what} must be a mapping: `field: value`.", "{what} 应为映射：`字段: 值`。"),
    "unknown_field": ("There is no field {key} here. There are: {known}.", "此处没有字段 {key}，可用：{known}。"),
    "missing_field": ("The document lacks {keys}.", "文档缺少 {keys}。"),
    "api_version": ("Write apiVersion: {expected}.", "请写 apiVersion: {expected}。"),
    "kind": ("There is no such kind. There are: {kinds}.", "没有这种 kind，可用：{kinds}。"),
    "name": (
        "metadata.name is the key of the document: up to 63 of a-z, 0-9, - and . that begin and end with a letter or"
        " digit. What people read is spec.name.",
        "metadata.name 是文档的键：最多 63 个 a-z、0-9、- 和 .，以字母或数字开头和结尾。显示名称请写在 spec.name。",
    ),
    "no_id": (
        "metadata.id is a UUID. Leave it out, and it is derived from metadata.name.",
        "metadata.id 应为 UUID。可省略，将由 metadata.name 导出。",
    ),
    "document_twice": (
        "{label} has the name or the id of the document at {other}. Keep one, or name it otherwise.",
        "{label} 与 {other} 处的文档名称或 id 相同，请保留一个或改名。",
    ),
    "too_many_documents": (
        "There are more than {count} documents. Apply them in parts.",
        "文档超过 {count} 个，请分批应用。",
    ),
    "days": (
        "{text} may mean 24 hours or a working day. Write hours, such as {metric}: 48h, or"
        ' {metric}: {{working_days: 2, at: "16:00"}}.',
        "{text} 可以指 24 小时，也可以指工作日。请写小时，如 {metric}: 48h，"
        '或 {metric}: {{working_days: 2, at: "16:00"}}。',
    ),
    "no_duration": (
        "{text} is no duration. Write {metric}: 15m, 4h or 1h30m, {metric}_seconds: 900, or"
        ' {metric}: {{working_days: 1, at: "16:00"}}.',
        "{text} 不是时长。请写 {metric}: 15m、4h 或 1h30m，{metric}_seconds: 900，"
        '或 {metric}: {{working_days: 1, at: "16:00"}}。',
    ),
    "metric_twice": ("{metric} is given twice in one target. Keep one.", "同一目标中 {metric} 写了两次，请保留一个。"),
    "no_such_calendar": (
        "No calendar is called {name}, neither in these files nor on the platform.",
        "这些文件和平台中都没有名为 {name} 的日历。",
    ),
    "several_calendars": (
        "Several calendars are called {name}. Name one by its id: {ids}.",
        "有多个名为 {name} 的日历，请写其 id：{ids}。",
    ),
    # the platform
    "no_answer": ("{url} does not answer: {why}.", "{url} 没有应答：{why}。"),
    "no_platform": (
        "{url} answers, but not as Opsledger does (HTTP {status}). Look at --url.",
        "{url} 有应答，但不是 Opsledger（HTTP {status}）。请检查 --url。",
    ),
    "refused": ("{detail} (HTTP {status}, {reason})", "{detail}（HTTP {status}，{reason}）"),
    "bad_url": (
        "{url} is no address. Write --url http://host:port.",
        "{url} 不是地址，请写 --url http://主机:端口。",
    ),
    "bad_token": ("The token cannot be one. Copy it whole.", "令牌格式不对，请完整复制。"),
    "token_needed": (
        "A token of the role lead is needed for {url}. Give it in OPSLEDGER_TOKEN. One of the data folder's own issuer"
        " is only made for this machine.",
        "访问 {url} 需要角色 lead 的令牌，请放入 OPSLEDGER_TOKEN。数据文件夹自签的令牌只用于本机。",
    ),
    "changed_meanwhile": (
        "{label} was changed by somebody else after it was compared. Run the command again and look at the difference.",
        "{label} 在比较之后已被他人修改。请重新运行命令并查看差异。",
    ),
    # what it does
    "will_create": ("{label}  will be created", "{label}  将新建"),
    "will_change": ("{label}  will be changed", "{label}  将修改"),
    "stays": ("{label}  unchanged", "{label}  无变化"),
    "summary": (
        "{created} to create, {changed} to change, {unchanged} unchanged.",
        "新建 {created} 个，修改 {changed} 个，无变化 {unchanged} 个。",
    ),
    "only_shown": ("Nothing was applied: this was a dry run.", "未应用任何内容：这是演练。"),
    "ask": ("Apply this?", "是否应用？"),
    "declined": ("Nothing was applied.", "未应用任何内容。"),
    "cannot_ask": (
        "Nothing was applied: nobody can be asked here. Say --yes to apply, or --dry-run to compare only.",
        "未应用任何内容：此处无法询问。请加 --yes 以应用，或加 --dry-run 仅作比较。",
    ),
    "created": ("{label}  created, revision {revision}", "{label}  已新建，修订 {revision}"),
    "changed": ("{label}  changed, revision {revision}", "{label}  已修改，修订 {revision}"),
    "same": ("{label}  unchanged, revision {revision}", "{label}  无变化，修订 {revision}"),
    "failed": ("{label}  refused", "{label}  被拒绝"),
    "unknown": (
        "{label}  not certain: no answer came. Run the command again; it goes on from what there is.",
        "{label}  不确定：没有收到应答。请重新运行命令，将从现状继续。",
    ),
    "left": ("{label}  not applied", "{label}  未应用"),
    "running_clocks": (
        "Running clocks keep the revision that they began with. To move those of a definition, look at"
        ' {{"revision": …, "dry_run": true}} first:',
        '运行中的时钟仍按其启动时的修订计算。如需迁移，请先用 {{"revision": …, "dry_run": true}} 查看：',
    ),
    "more": ("… {count} more", "……另有 {count} 个"),
    "working_day": ("working day {count}", "第 {count} 个工作日"),
    "at_close": ("at closing", "下班时"),
}


def chinese(language: str) -> bool:
    """Whether a locale or a tag such as zh_CN.UTF-8 asks for Chinese."""
    return language.lower().startswith("zh")


def say(code: str, language: str, values: Mapping[str, Any] | None = None, **more: Any) -> str:
    """A sentence in the caller's language."""
    return _TEXTS[code][chinese(language)].format(**{**(values or {}), **more})


def worded(trouble: Trouble, language: str) -> str:
    """What is wrong, after where: `file.yaml:3:7: sentence`."""
    sentence = say(trouble.code, language, trouble.values)
    return sentence if trouble.place is None else f"{trouble.place}: {sentence}"


def visible(text: str) -> str:
    """The text with what a terminal would obey, and not show, spelled out."""
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)
