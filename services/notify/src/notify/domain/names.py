"""Names for people of what an event says by a code, in the languages of mails."""

from collections.abc import Mapping
from typing import Final

METRICS: Final[Mapping[str, Mapping[str, str]]] = {
    "zh-CN": {
        "response": "响应",
        "contact": "首次联系",
        "ownership": "认领",
        "update": "进展反馈",
        "workaround": "临时措施",
        "resolution": "解决",
    },
    "en": {
        "response": "response",
        "contact": "contact with the requester",
        "ownership": "ownership",
        "update": "update to the requester",
        "workaround": "workaround",
        "resolution": "resolution",
    },
}
"""By language: what a clock measures. Each stands alone or after `time for`, and before 时限."""


def metric_name(metric: str, language: str) -> str:
    """The metric in a language; one that this release does not know, as it is."""
    return METRICS[language].get(metric, metric)
