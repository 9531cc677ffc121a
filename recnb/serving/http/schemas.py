"""What may be asked and how long every field may be; what is answered. The OpenAPI page is made of these."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from fastapi.exceptions import RequestValidationError
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

ID, TEXT, CELL = 256, 2000, 5000  # characters
HISTORY, WANTED, VALUES, BATCH = 500, 200, 20, 100  # entries

Id = Annotated[str, StringConstraints(min_length=1, max_length=ID)]
Value = Annotated[str, StringConstraints(min_length=1, max_length=ID)]
Where = Annotated[
    dict[Value, Annotated[list[Value], Field(min_length=1, max_length=VALUES)]],
    Field(max_length=5),
]
K = Annotated[int, Field(ge=1, le=WANTED)]


class Strict(BaseModel):
    """A body without fields that nobody reads."""

    model_config = ConfigDict(extra="forbid")


class Asked(BaseModel):
    """A question about a known user, as the parameters of an address."""

    user: Id
    k: K = 10
    model: Id | None = None
    where: Annotated[
        list[Annotated[str, StringConstraints(max_length=2 * ID)]],
        Field(max_length=20, description="COLUMN:VALUE; repeat it for more."),
    ] = []
    reasons: bool = False

    @classmethod
    def parameters(cls) -> list[dict[str, Any]]:
        """The fields as OpenAPI lists them."""
        told = cls.model_json_schema()
        return [
            {"name": name, "in": "query", "required": name in told["required"], "schema": schema}
            | ({"description": schema["description"]} if "description" in schema else {})
            for name, schema in told["properties"].items()
        ]

    @classmethod
    def of(cls, query: bytes) -> Asked:
        """The question of a query string.

        Raises
        ------
        RequestValidationError
        """
        values: dict[str, Any] = {}
        for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
            if name == "where":
                values.setdefault(name, []).append(value)
            else:
                values[name] = value
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            said = [{**one, "loc": ("query", *one["loc"])} for one in error.errors()]
            raise RequestValidationError(said) from None


class Question(Strict):
    """Whom a list is for: a known user, a history sent along (it counts instead of what is known), or a text."""

    user: Id | None = Field(None, description="A user that the model was fitted on.")
    history: Annotated[list[Id], Field(max_length=HISTORY)] | None = Field(
        None, description="Items that the person liked, the oldest first."
    )
    text: Annotated[str, StringConstraints(min_length=1, max_length=TEXT)] | None = Field(
        None, description="What is looked for, in words."
    )
    k: K = 10
    model: Id | None = Field(None, description="Which of the artefacts; default the first.")
    where: Where = Field(
        default_factory=dict, description="Column of the items table: values, one of which is met."
    )
    exclude: Annotated[list[Id], Field(max_length=HISTORY)] = Field(
        default_factory=list, description="Items that are not wanted."
    )
    reasons: bool = Field(False, description="Which item of the history speaks for each.")

    @model_validator(mode="after")
    def _one_of(self) -> Question:
        if self.text is not None and (self.history is not None or self.user is not None):
            raise ValueError("text stands alone: leave out user and history")
        if self.text is None and self.history is None and self.user is None:
            raise ValueError("give user, history or text")
        return self


class Questions(Strict):
    """Several questions at once."""

    requests: Annotated[list[Question], Field(min_length=1, max_length=BATCH)]


class NewItem(Strict):
    """An item that the model has not seen; listed from now on, by its text."""

    item_id: Id
    title: Annotated[str, StringConstraints(min_length=1, max_length=CELL)] | None = None
    text: Annotated[str, StringConstraints(min_length=1, max_length=CELL)] | None = None
    attributes: Annotated[
        dict[Value, Annotated[str, StringConstraints(max_length=CELL)] | float | int | None],
        Field(max_length=50),
    ] = Field(default_factory=dict, description="Other columns of the items table.")


class Availability(Strict):
    """Whether an item may be shown."""

    available: bool


class Event(Strict):
    """Something that followed a list that was answered."""

    slate_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    item_id: Id
    event: Literal["click", "conversion", "revenue", "satisfaction"]
    value: float = Field(1.0, ge=-1e9, le=1e9, allow_inf_nan=False)


class Shown(BaseModel):
    """One place of a list."""

    item_id: str
    title: str | None
    score: float
    because: str | None = Field(None, description="Item of the history that speaks most for it.")


class Answer(BaseModel):
    """A list, best first."""

    model: str
    artefact: str = Field(description="First digits of the artefact's digest.")
    slate_id: str = Field(description="To be named with feedback.")
    by: Literal["model", "text", "popularity"]
    fallback: str | None = Field(description="Why popularity answers instead of the model.")
    relaxed: list[str] = Field(description="Rules that were dropped, as no item was left.")
    ignored: int = Field(description="Ids of history and exclude that are no items.")
    items: list[Shown]


class Answers(BaseModel):
    """Lists in the order of the questions."""

    answers: list[Answer]


class Problem(BaseModel):
    """Why there is no answer."""

    error: str
    request_id: str


class Added(BaseModel):
    """A new item stands."""

    item_id: str
    models: list[str]
    scored_by: dict[str, Any] = Field(description="By model: itself, or its nearest known items.")
