"""The context's own settings."""

import pytest

from incident.settings import IncidentSettings
from opsledger_runtime.settings import SettingsError


def test_resolved_alerts_annotate_unless_configured() -> None:
    assert IncidentSettings.read({}) == IncidentSettings("annotate", "provider")


def test_r16_alerts_that_resolve_have_a_configured_responsibility() -> None:
    environ = {
        "OPSLEDGER_INCIDENT_ALERT_RESOLVES": "resolve",
        "OPSLEDGER_INCIDENT_ALERT_RESPONSIBILITY": "customer",
    }
    assert IncidentSettings.read(environ) == IncidentSettings("resolve", "customer")


@pytest.mark.parametrize("name", ["OPSLEDGER_INCIDENT_ALERT_RESOLVES", "OPSLEDGER_INCIDENT_ALERT_RESPONSIBILITY"])
def test_a_wrong_setting_is_told_with_its_choices(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is 'sometimes'; set it to"):
        IncidentSettings.read({name: "sometimes"})
