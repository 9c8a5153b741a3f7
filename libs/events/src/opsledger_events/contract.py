"""What every event class declares: its explicit type name, its partition key, its example."""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict


class Personal:
    """Marks a field that holds personal data: `title: Annotated[str, Personal()]`.

    A later redaction blanks marked fields and leaves the chain verifiable.
    """


class Event(BaseModel):
    """A past-tense business fact. Subclasses state `type_name` and an `example`; both are kept for ever.

    Producers validate closed (an unknown field is an error); consumers read open through `read`.
    Values are JSON: text, whole numbers, booleans, instants, identifiers, lists and objects. No floats:
    their canonical form (RFC 8785) is where implementations differ.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    type_name: ClassVar[str]
    """`<context>.<EventName>.v<major>`, never derived from the class's path."""

    partition_by: ClassVar[str | None] = None
    """The field that holds the owner's id where the aggregate belongs to another; None: the aggregate's own id."""

    corrects: ClassVar[bool] = False
    """True for an explicit late report, which alone may carry a `time` before the aggregate's latest."""

    example: ClassVar[dict[str, Any]]
    """A complete payload, committed as the golden of this (type, major)."""

    @classmethod
    def event_context(cls) -> str:
        """The owning bounded context, for example `incident`."""
        return cls.type_name.split(".")[0]

    @classmethod
    def event_name(cls) -> str:
        """The event's name, for example `IncidentOpened`."""
        return cls.type_name.split(".")[1]

    @classmethod
    def event_major(cls) -> int:
        """The major version, from 1."""
        return int(cls.type_name.split(".")[2][1:])

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
        """Decode stored or received data, ignoring optional fields that a newer release added."""
        # As `model_validate` does, without what it does before: this is done for every event that anybody receives.
        read: Self = cls.__pydantic_validator__.validate_python(data, extra="ignore")
        return read
