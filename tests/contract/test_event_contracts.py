"""Every (type, major) keeps its committed schema and example for ever (D13)."""

import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import nats
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import contracts

from opsledger_events import Envelope, Event, InvalidEnvelope, decode, event_classes
from opsledger_events.catalogue import __main__ as catalogue
from opsledger_events.catalogue.asyncapi import asyncapi
from opsledger_events.catalogue.compatibility import breaking_changes
from opsledger_events.catalogue.schemas import envelope_schema
from opsledger_events.subjects import context_subjects, event_subject, partition, relay_subject
from opsledger_runtime.ledger import digest_of, seal, wire

EXAMPLES = contracts.example_files()
CLASSES = event_classes()
CHECKER = jsonschema.Draft202012Validator


def checker(schema: dict[str, Any]) -> Any:
    CHECKER.check_schema(schema)
    return CHECKER(schema, format_checker=CHECKER.FORMAT_CHECKER)


def envelope_of(path: Path) -> Envelope:
    return Envelope.from_json(path.read_bytes())


def test_catalogue_fits_the_classes() -> None:
    assert catalogue.main(["--check"]) == 0


def test_every_class_has_a_committed_schema_and_example() -> None:
    names = {f"{path.parent.name}.{path.name.removesuffix('.example.json')}" for path in EXAMPLES}
    schemas = {f"{path.parent.name}.{path.name.removesuffix('.schema.json')}" for path in contracts.schema_files()}
    assert names == schemas
    assert set(CLASSES) <= names


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name.removesuffix(".example.json"))
class TestExample:
    def test_it_decodes_and_fits_its_schema(self, path: Path) -> None:
        event = decode(envelope_of(path))
        assert isinstance(event, Event)
        found = contracts.read(path)
        checker(envelope_schema()).validate(found)
        schema = contracts.read(path.with_name(path.name.replace(".example.", ".schema.")))
        checker(schema).validate(found["data"])
        assert schema["$id"].endswith(found["type"].removeprefix("opsledger."))

    def test_what_a_producer_writes_of_it_fits_too(self, path: Path) -> None:
        event = decode(envelope_of(path))
        schema = contracts.read(path.with_name(path.name.replace(".example.", ".schema.")))
        if event.type_name == envelope_of(path).type_name:
            checker(schema).validate(event.model_dump(mode="json", exclude_none=True))

    def test_it_is_closed_for_producers_and_open_for_consumers(self, path: Path) -> None:
        found = contracts.read(path)
        found["data"]["added_by_a_newer_release"] = {"深": [1, None, "🔥"]}
        found["newattribute"] = "x"
        schema = contracts.read(path.with_name(path.name.replace(".example.", ".schema.")))
        assert not checker(schema).is_valid(found["data"])
        assert checker(envelope_schema()).is_valid(found)
        newer = Envelope.from_json(catalogue._json(found).encode())
        assert decode(newer) == decode(envelope_of(path))
        cls = CLASSES.get(newer.type_name)
        if cls is not None:
            with pytest.raises(ValueError, match="added_by_a_newer_release"):
                cls.model_validate(newer.data)

    def test_it_survives_json_and_the_stored_row(self, path: Path) -> None:
        envelope = envelope_of(path)
        survives(envelope)


def survives(envelope: Envelope) -> None:
    assert Envelope.from_json(envelope.to_json()) == envelope
    assert envelope.sequence is not None
    sealed = seal(envelope, b"0123456789abcdef")
    assert Envelope.from_json(sealed.body).numbered(envelope.sequence) == envelope
    assert Envelope.from_json(wire(sealed.body, envelope.sequence)) == envelope
    assert digest_of(wire(sealed.body, envelope.sequence), sealed.salt) == sealed.digest


async def test_every_example_survives_the_bus_with_its_headers(nats_url: str) -> None:
    client = await nats.connect(nats_url)
    try:
        prefix = f"contract.{uuid.uuid4().hex}"
        subscription = await client.subscribe(f"{prefix}.>")
        for path in EXAMPLES:
            envelope = envelope_of(path)
            subject = event_subject(envelope.type, envelope.partitionkey)
            await client.publish(f"{prefix}.{subject}", envelope.to_json(), headers=envelope.headers())
            message = await subscription.next_msg(timeout=10)
            assert message.subject == f"{prefix}.{subject}"
            assert message.headers == envelope.headers()
            assert Envelope.from_json(message.data) == envelope
            assert message.headers["Nats-Msg-Id"] == str(envelope.id)
            assert message.headers["Content-Type"] == "application/cloudevents+json"
            assert message.headers["ce-type"] == envelope.type
    finally:
        await client.close()


BEFORE_THE_FIRST_RELEASE = frozenset(
    f"data.metric may now be {metric!r}" for metric in ("contact", "ownership", "update", "workaround")
)
"""Broken while nobody could have received an event: the metrics of clocks became an open list (docs/adr/0018)."""


def test_no_published_contract_was_removed_or_changed_incompatibly() -> None:
    for path, versions in contracts.committed_versions().items():
        current = contracts.SCHEMAS / path
        assert current.is_file(), f"{path} was committed once and is gone; contracts are kept for ever"
        for version in versions:
            if path.endswith(".example.json"):
                decode(Envelope.from_json(catalogue._json(version).encode()))
            elif "/" in path:
                broken = set(breaking_changes(version, contracts.read(current)))
                assert broken <= BEFORE_THE_FIRST_RELEASE, path


def test_every_example_ever_committed_fits_the_present_schema() -> None:
    for path, versions in contracts.committed_versions().items():
        if path.endswith(".example.json"):
            schema = contracts.read(contracts.SCHEMAS / path.replace(".example.", ".schema."))
            for version in versions:
                checker(schema).validate(version["data"])


@pytest.mark.parametrize("type_name", CLASSES)
def test_field_that_may_be_null_may_be_absent(type_name: str) -> None:
    # What is stored leaves nulls out, so a field without a default could not be read again.
    for name, field in CLASSES[type_name].model_fields.items():
        kinds = CLASSES[type_name].model_json_schema()["properties"][name].get("anyOf", [])
        assert not (field.is_required() and {"type": "null"} in kinds), name


@pytest.mark.parametrize("type_name", CLASSES)
def test_partition_key_is_a_required_text_of_the_event(type_name: str) -> None:
    cls = CLASSES[type_name]
    if cls.partition_by is not None:
        assert cls.model_fields[cls.partition_by].is_required()
        assert isinstance(cls.example[cls.partition_by], str)


@pytest.mark.parametrize(
    ("key", "number"),
    [("0192f0c4-7d1a-7c3e-9b5e-6a0f3d2c1b4a", 14), ("INC0000042", 4), ("事件-1", 8)],
)
def test_partition_of_a_key_never_changes(key: str, number: int) -> None:
    assert partition(key) == number


def test_subjects_never_change() -> None:
    key = "0192f0c4-7d1a-7c3e-9b5e-6a0f3d2c1b4a"
    subject = "opsledger.evt.incident.IncidentOpened.14"
    assert event_subject("opsledger.incident.IncidentOpened.v1", key) == subject
    assert event_subject("opsledger.incident.IncidentOpened.v2", key) == subject
    assert context_subjects("sla") == "opsledger.evt.sla.>"
    assert relay_subject("sla") == "opsledger.relay.sla"


def test_asyncapi_is_whole_and_its_examples_fit() -> None:
    document = asyncapi(CLASSES)

    def resolve(reference: str) -> Any:
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        return found

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if "$ref" in part:
                assert resolve(part["$ref"]) is not None
            for value in part.values():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    walk({key: document[key] for key in ("channels", "operations", "components")})
    assert set(document["components"]["messages"]) == set(CLASSES)
    for message in document["components"]["messages"].values():
        one = {**message["payload"], "components": document["components"]}
        for shown in message["examples"]:
            checker(one).validate(shown["payload"])
            checker(message["headers"]).validate(shown["headers"])
    for channel in document["channels"].values():
        assert channel["address"].endswith(".{partition}")
        assert len(channel["parameters"]["partition"]["enum"]) == 16


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60) | st.sampled_from(
    ["核心交换机端口告警", "🔥👩‍👩‍👧‍👦", 'quote " back \\ slash / \b\f\n\r\t', "\u2028\u2029\x7f\x1f", "é e\u0301 ﷺ 𠮷"]
)
NAME = TEXT.filter(bool)
INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
# Not named zones: Python never calls an hour that occurs twice in two of them equal.
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=OFFSETS)  # noqa: DTZ001
ENVELOPES = st.builds(
    Envelope,
    id=st.uuids(),
    type=st.sampled_from([f"opsledger.{name}" for name in CLASSES]),
    source=st.just("/opsledger/test/incident"),
    subject=NAME,
    time=INSTANTS,
    recordedtime=INSTANTS,
    aggregateversion=st.integers(1, 2**31 - 1),
    partitionkey=NAME,
    correlationid=NAME,
    actor=NAME,
    data=st.dictionaries(TEXT, JSON, max_size=5),
    organisation=st.none() | NAME,
    causationid=st.none() | NAME,
    importid=st.none() | NAME,
    traceparent=st.none() | st.just("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    sequence=st.integers(1, 2**63 - 1),
)


@given(ENVELOPES)
def test_any_envelope_survives_json_and_the_stored_row(envelope: Envelope) -> None:
    survives(envelope)


@given(ENVELOPES)
def test_any_envelope_is_a_cloud_event_with_headers_that_a_bus_can_carry(envelope: Envelope) -> None:
    assert checker(envelope_schema()).is_valid(envelope.attributes())
    for name, value in envelope.headers().items():
        assert name.isascii()
        assert value.isascii()
        assert "\n" not in value


@pytest.mark.parametrize(
    "spoilt",
    [
        {"specversion": "0.3"},
        {"time": "2026-11-22T08:30:00"},
        {"type": "incident.IncidentOpened.v1"},
        {"data": []},
        {"id": "42"},
        {"sequence": "many"},
        {"aggregateversion": None},
    ],
)
def test_what_is_no_envelope_is_refused(spoilt: dict[str, Any]) -> None:
    found = {**contracts.read(EXAMPLES[0]), **spoilt}
    with pytest.raises(InvalidEnvelope):
        Envelope.from_json(catalogue._json(found).encode())
