"""Small models of other engines, written from a description of their rules; no code of theirs is used.

Where the description says nothing, a model does what is right.
"""

from typing import Final

from tests.differential.engines.bk_itsm import BkItsm
from tests.differential.engines.glpi import Glpi
from tests.differential.engines.itop import Itop
from tests.differential.engines.servicenow import ServiceNow
from tests.differential.engines.zammad import Zammad
from tests.differential.scenario import Engine

OTHERS: Final[tuple[Engine, ...]] = (Glpi(), Itop(), Zammad(), BkItsm(), ServiceNow(), ServiceNow(retroactive=True))
