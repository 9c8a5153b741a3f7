"""Settings: looked up by context first, and honest about what is missing."""

from pathlib import Path

import pytest

from opsledger_runtime.settings import Settings, SettingsError

REAL = {
    "OPSLEDGER_DATABASE_URL": "postgresql://app@db/x",
    "OPSLEDGER_NATS_URL": "nats://bus:4222",
    "OPSLEDGER_JWKS_FILE": "/etc/opsledger/jwks.json",
    "OPSLEDGER_TOKEN_ISSUER": "https://login.example.com",
}


def test_the_contexts_own_variable_wins() -> None:
    found = Settings.read("sla", {**REAL, "OPSLEDGER_SLA_DATABASE_URL": "postgresql://sla@db/sla"})
    assert found.database_url == "postgresql://sla@db/sla"
    assert found.nats_url == "nats://bus:4222"
    assert found.environment == "production"


def test_missing_settings_are_all_named() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.read("sla", {"OPSLEDGER_ENVIRONMENT": "test"})
    for name in ("OPSLEDGER_DATABASE_URL", "OPSLEDGER_NATS_URL", "OPSLEDGER_JWKS_FILE"):
        assert name in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPSLEDGER_CLOCK_FILE", "/tmp/clock"),
        ("OPSLEDGER_PLANTED_BUG", "lease-ignored"),
        ("OPSLEDGER_TOKEN_ISSUER", "opsledger-local"),
    ],
)
def test_production_refuses_what_is_for_tests(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match="refused in production"):
        Settings.read("sla", {**REAL, name: value})
    Settings.read("sla", {**REAL, name: value, "OPSLEDGER_ENVIRONMENT": "test"})


def test_settings_survive_the_environment() -> None:
    found = Settings.read("sla", {**REAL, "OPSLEDGER_ENVIRONMENT": "test", "OPSLEDGER_CLOCK_FILE": "/tmp/clock"})
    assert Settings.read("sla", found.environ()) == found
    assert found.clock_file == Path("/tmp/clock")
