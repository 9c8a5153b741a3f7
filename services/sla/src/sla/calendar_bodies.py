"""What a request says of a calendar."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=200)]
Whole = Annotated[int, Field(strict=True, ge=-1000, le=1000)]
TimeOfDay = Annotated[str, Field(max_length=5, examples=["09:00"])]


class Body(BaseModel):
    """A request's body: what it does not know it refuses."""

    model_config = ConfigDict(extra="forbid")


class WeeklyHours(Body):
    """A working interval of a weekday; Monday is 0. Times are local, `closes` at 24:00 at the latest."""

    day: Whole
    opens: TimeOfDay
    closes: TimeOfDay


class CalendarBody(Body):
    """A calendar: always open, or weekly hours in a time zone, with several intervals a day where there are breaks."""

    name: Name
    time_zone: Annotated[str, Field(max_length=100, examples=["Asia/Shanghai"])]
    always_open: bool = False
    weekly: Annotated[list[WeeklyHours], Field(max_length=200)] = []
