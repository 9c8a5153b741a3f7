"""What a Chinese service desk reads when a rule refuses: one sentence for each code, saying what to do."""

from typing import Final

from opsledger_runtime.errors import DomainError

ZH: Final[dict[str, str]] = {
    "attributes_do_not_conform": "属性不符合该类的定义，请按提示修改。",
    "changed_again_since": "该项内容此后又被修改过，请先撤销较晚的修改。",
    "class_definition": "类的定义不可用，请按提示修改。",
    "classes_do_not_go_together": "这两类配置项之间不能建立该关系，可用的类见 GET /relation-types。",
    "ends_are_there": "该配置项已退役或已合并，只有仍然存在的配置项才能建立关系。",
    "file_unusable": "文件不可用，请按提示修改后重新上传。",
    "key_of_another": "该编号属于另一配置项，且无其他依据表明两者相同。请补充标识，或换一个编号。",
    "key_taken": "该编号已属于另一配置项，或属于已并入它的配置项，请换一个编号。",
    "key_was_merged": "该编号的配置项已并入另一配置项，请使用后者的编号。",
    "known_by_another_key": "没有该编号的配置项，但其标识已属于另一配置项。请使用后者的编号，或更正标识。",
    "line_invalid": "该行内容不可用，请按提示修改。",
    "line_twice": "前面已有一行指同一配置项，请删去其中一行。",
    "merge_is_not_undone": "该版本是一次合并，合并不可撤销。如确为不同的配置项，请重新登记。",
    "merged_alike": "两者的类或所属机构不同，请先修改其中一个。",
    "merged_is_final": "该配置项已并入另一配置项，不可再操作，请对后者操作。",
    "no_circle": "对方已直接或间接以同一关系指向它，不能形成环路。",
    "no_such_class": "没有这个类。请先定义，或从 GET /classes 中选择。",
    "no_such_item": "没有这个配置项。",
    "no_such_target": "所指的配置项不存在，请先登记，或更正其编号。",
    "no_such_relation": "没有这个关系。",
    "not_into_itself": "两者是同一配置项，请指明要保留的另一个。",
    "not_to_itself": "配置项不能与自身建立关系，请指明另一个。",
    "not_planned_again": "已入库或已投运的配置项不能再改为计划中。",
    "one_target_only": "该类配置项只能有一个这样的关系，请先结束原有的关系。",
    "organisation_missing": "请指明所属机构。",
    "registered_once": "该配置项已经登记。",
    "registration_is_not_undone": "登记不可撤销，请将该配置项退役。",
    "retired_is_final": "该配置项已退役。如系误操作请先撤销退役，否则请另行登记。",
    "retired_is_not_new": "已不存在的配置项不予登记，请删去，或按现状登记。",
    "several_match": "可能是多个配置项中的任一个，请先合并或更正其中一个。",
    "source_name": "该名称不能用作发现来源，请换一个名称。",
    "survivor_is_there": "要保留的配置项已退役或已合并，请选择仍然存在的配置项。",
}


def worded(refusal: DomainError, language: str) -> str:
    """The sentence of a refusal in the caller's language; English where there is no other."""
    return ZH.get(refusal.code, refusal.message) if language.startswith("zh") else refusal.message
