"""What can be asked over HTTP, and how a refusal is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import Scope

import recnb
from recnb.errors import InputError
from recnb.serving.http import schemas
from recnb.serving.http.batcher import Busy
from recnb.serving.http.guard import Refused
from recnb.serving.http.service import Json, Service
from recnb.serving.records import NotShown

_HERE = Path(__file__).parent
Where = Annotated[
    list[Annotated[str, Query(max_length=2 * schemas.ID)]],
    Query(max_length=20, description="COLUMN:VALUE; repeat it for more."),
]


class Direct(Route):
    """A GET that reads its own query: FastAPI's way through five parameters took half of a request's processor time."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == self.path:
            return Match.FULL, {"endpoint": self.endpoint, "route": self}
        return Match.NONE, {}


def add_lists(app: FastAPI, service: Service) -> None:
    async def recommend(request: Request) -> Response:
        """A list for a user. A stranger gets what most have, and the answer says so."""
        asked = schemas.Asked.of(request.scope["query_string"])
        question = schemas.Question(
            user=asked.user,
            history=None,
            text=None,
            k=asked.k,
            model=asked.model,
            where=_where(asked.where),
            reasons=asked.reasons,
        )
        return Json(await service.answer(question, request))

    app.router.routes.append(Direct("/recommend", recommend))
    app.get(  # for the interface's page, and for other methods
        "/recommend",
        response_model=schemas.Answer,
        tags=["lists"],
        openapi_extra={"parameters": schemas.Asked.parameters()},
    )(recommend)

    @app.post("/recommend", response_model=schemas.Answer, tags=["lists"])
    async def recommend_for(request: Request, question: schemas.Question) -> Response:
        """A list for a user, for a history that is sent along, or for a text."""
        return Json(await service.answer(question, request))

    @app.post("/recommend/batch", response_model=schemas.Answers, tags=["lists"])
    async def recommend_batch(request: Request, questions: schemas.Questions) -> Response:
        """Several lists at once."""
        answers = await asyncio.gather(*(service.answer(q, request) for q in questions.requests))
        return Json({"answers": answers})

    @app.get("/similar", response_model=schemas.Answer, tags=["lists"])
    async def similar(
        item: schemas.Id,
        k: schemas.K = 10,
        model: schemas.Id | None = None,
        where: Where = [],  # noqa: B006
    ) -> Response:
        """Items like one: liked by the same people where the model can tell, else of like text."""
        return Json(await service.similar(service.live(model), item, k, _where(where)))


def add_changes(app: FastAPI, service: Service) -> None:
    @app.post("/items", response_model=schemas.Added, status_code=201, tags=["items"])
    async def add_item(item: schemas.NewItem) -> Response:
        """A new item, in the lists from now on."""
        plain = {
            **item.attributes,
            **{"item_id": item.item_id, "title": item.title, "text": item.text},
        }
        scored = {}
        for name, live in list(service.lives.by_name.items()):
            if live.artefact.encoder is not None:
                scored[name] = await service.lives.change(name, lambda live: live.add(plain))
        if not scored:
            raise Refused(409, "no artefact here reads text: export one with an encoder")
        body = {"item_id": item.item_id, "models": list(scored), "scored_by": scored}
        return Json(body, status_code=201)

    @app.put("/items/{item_id}/availability", status_code=204, tags=["items"])
    async def set_availability(
        item_id: Annotated[schemas.Id, InPath()], body: schemas.Availability
    ) -> Response:
        """Show an item, or no longer."""
        having = [v for v in service.lives.by_name.values() if item_id in v.engine.shelf.codes]
        if not having:
            raise Refused(404, "no such item")
        for one in having:
            await service.lives.change(
                one.name, lambda live: live.set_available(item_id, body.available)
            )
        return Response(status_code=204)

    @app.post("/feedback", status_code=204, tags=["feedback"])
    async def feedback(event: schemas.Event) -> Response:
        """Something that followed a list; on the disk when this is answered."""
        if service.feedback is None:
            raise Refused(409, "the service keeps no feedback: start it with --state")
        written = service.feedback.event(event.slate_id, event.item_id, event.event, event.value)
        try:
            await asyncio.wrap_future(written)
        except NotShown:
            raise Refused(404, "no list that was answered shows this item") from None
        except Exception:
            raise Refused(503, "the event could not be written", 1.0) from None
        service.monitor.events.labels(event.event).inc()
        return Response(status_code=204)

    @app.post("/admin/reload", tags=["admin"])
    async def reload() -> Response:
        """Take up artefacts that have changed in their folders."""
        return Json({"loaded": await service.lives.reload()})


def add_facts(app: FastAPI, service: Service) -> None:
    @app.get("/health", tags=["facts"])
    async def health() -> Response:
        """Whether the process answers."""
        return Json({"status": "ok"})

    @app.get("/ready", tags=["facts"])
    async def ready() -> Response:
        """Whether lists can be asked for, and which models' encoders are still being read: their texts wait."""
        loading = [name for name, live in service.lives.by_name.items() if live.loading]
        body = {"ready": service.ready, "loading": loading}
        return Json(body, status_code=200 if service.ready else 503)

    @app.get("/version", tags=["facts"])
    async def version() -> Response:
        """The versions of the service and of its artefacts, what they can, and how they were judged."""
        kept = ("name", "digest", "created", "users", "items", "abilities", "indexes", "evaluation")
        models = [
            {key: live.artefact.head[key] for key in kept}
            | {"model": live.artefact.head["model"]["class"], "columns": live.engine.shelf.columns}
            for live in service.lives.by_name.values()
        ]
        return Json({"recnb": recnb.__version__, "models": models})

    @app.get("/metrics", tags=["facts"])
    async def metrics() -> Response:
        """For Prometheus."""
        for live in list(service.lives.by_name.values()):
            await live.measure()
            service.monitor.queue.labels("score").set(live.scoring.waiting)
            service.monitor.queue.labels("encode").set(live.encoding.waiting)
        service.monitor.lost.labels("audit").set(service.audit.lost)
        if service.feedback is not None:
            service.monitor.lost.labels("feedback").set(service.feedback.lost)
        return Response(service.monitor.text(), media_type="text/plain; version=0.0.4")

    for path, name, kind in (
        ("/", "page.html", "text/html"),
        ("/page.js", "page.js", "text/javascript"),
    ):
        app.get(path, include_in_schema=False)(_file(_HERE / name, kind))


def _file(path: Path, kind: str) -> Any:
    content = path.read_bytes()

    async def page() -> Response:
        return Response(content, media_type=kind)

    return page


def add_errors(app: FastAPI) -> None:
    def problem(request: Request, status: int, error: str, after: float | None = None) -> Response:
        headers = {} if after is None else {"retry-after": str(max(1, round(after + 0.5)))}
        said = error.encode("utf-8", "replace").decode()  # half a surrogate pair is no text
        request.state.error = said
        body = {"error": said, "request_id": request.state.request_id}
        return Json(body, status_code=status, headers=headers)

    @app.exception_handler(Busy)
    async def busy(request: Request, error: Busy) -> Response:
        return problem(request, 503, "too much to do", error.after)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return problem(request, error.status, error.error, error.after)

    @app.exception_handler(InputError)
    async def wrong(request: Request, error: InputError) -> Response:
        return problem(request, 422, str(error))

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> Response:
        return problem(request, error.status_code, str(error.detail))

    @app.exception_handler(404)
    async def nowhere(request: Request, error: Exception) -> Response:
        return problem(request, 404, "nothing is here")

    @app.exception_handler(405)
    async def not_so(request: Request, error: Exception) -> Response:
        response = problem(request, 405, "not by this method")
        allow = (getattr(error, "headers", None) or {}).get("allow")
        if allow:
            response.headers["allow"] = allow
        return response

    @app.exception_handler(ValidationError)
    @app.exception_handler(RequestValidationError)
    async def invalid(
        request: Request, error: RequestValidationError | ValidationError
    ) -> Response:
        # where and why, never what came: it may be personal
        said = [
            f"{'.'.join(str(p) for p in e['loc'])[:200]}: {e['msg'][:200]}" for e in error.errors()
        ]
        return problem(request, 422, "; ".join(said[:5]))


def _where(pairs: Sequence[str]) -> dict[str, list[str]]:
    """`column:value` pairs by column."""
    out: dict[str, list[str]] = {}
    for pair in pairs:
        column, colon, value = pair.partition(":")
        if not (column and colon and value):
            raise Refused(422, "where: write COLUMN:VALUE")
        out.setdefault(column, []).append(value)
    return out
