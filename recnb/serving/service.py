"""The service: artefacts answered over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import FastAPI, Query, Request, Response
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

import recnb
from recnb.errors import InputError
from recnb.serving import schemas
from recnb.serving.batcher import Busy
from recnb.serving.engine import Ask, Listed
from recnb.serving.explore import Explorer
from recnb.serving.guard import Guard, Refused
from recnb.serving.keys import KeyFile
from recnb.serving.live import Live, Lives
from recnb.serving.monitor import Monitor
from recnb.serving.records import AuditLog, FeedbackLog

log = logging.getLogger(__name__)
_HERE = Path(__file__).parent
KEYS, FEEDBACK, AUDIT, SECRET = "keys.json", "feedback.sqlite", "audit.jsonl", "secret"


@dataclass(frozen=True)
class Settings:
    """How to serve.

    Attributes
    ----------
    folders : tuple of Path
        Artefacts; the first is the default.
    state : Path or None
        Folder of keys, logs and added items; None keeps nothing.
    open : bool
        Whether the service answers without keys.
    milliseconds : float
        Time limit of an answer.
    queue, batch : int
        Jobs that may wait, and that are done together.
    explore : float
        Share of lists that are drawn at random from the best, so that the log can judge other models.
    watch : float
        Seconds between looks for a new artefact; 0 for none.
    trust : bool
        Whether models of classes outside recnb may be imported.
    tls : bool
    """

    folders: tuple[Path, ...]
    state: Path | None = None
    open: bool = False
    milliseconds: float = 250.0
    queue: int = 256
    batch: int = 32
    explore: float = 0.0
    watch: float = 2.0
    trust: bool = False
    tls: bool = False


class Json(Response):
    """Plain values as json."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


class Service:
    """What the routes share."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.monitor = settings, Monitor()
        state = settings.state
        if state is not None:
            state.mkdir(parents=True, exist_ok=True)
        self.keys = None if state is None or settings.open else KeyFile(state / KEYS)
        secret = secrets.token_bytes(32) if state is None else _secret(state / SECRET)
        self.audit = AuditLog(None if state is None else state / AUDIT, secret)
        self.feedback = None if state is None else FeedbackLog(state / FEEDBACK)
        self.explorer = Explorer(settings.explore)
        self.lives = Lives(settings.folders, self._live, self.monitor, settings.trust)
        self.ready = True

    def _live(self, artefact: Any) -> Live:
        s = self.settings
        return Live(artefact, self.monitor, s.state, s.queue, s.batch, s.milliseconds / 1000)

    def live(self, name: str | None) -> Live:
        """The artefact that a request names."""
        live = self.lives.get(name)
        if live is None:
            raise Refused(404, f"no model of this name; there are {', '.join(self.lives.by_name)}")
        return live

    async def answer(self, question: schemas.Question, request: Request) -> dict[str, Any]:
        """The answer to a question, as plain values."""
        live = self.live(question.model)
        engine = live.engine
        history, ignored = None, 0
        if question.history is not None:
            history, ignored = _codes(question.history, engine.shelf.codes)
        exclude, unknown = _codes(question.exclude, engine.shelf.codes)
        user = None if question.user is None else engine.users.get(question.user)
        if user is None and history is None and question.text is None:
            history = _codes([], {})[0]  # a stranger
        k = self.explorer.depth(question.k)
        ask = Ask(
            k,
            user=user,
            history=history,
            where=question.where,
            exclude=exclude,
            reasons=question.reasons,
        )
        listed, from_cache = await live.listed(ask, question.text)
        request.state.user = question.user
        return self.shown(live, listed, question.k, question.user, ignored + unknown, from_cache)

    async def similar(
        self, live: Live, item: str, k: int, where: dict[str, list[str]]
    ) -> dict[str, Any]:
        """Items like one."""
        code = live.engine.shelf.codes.get(item)
        if code is None:
            raise Refused(404, "no such item")
        listed, from_cache = await live.listed(Ask(k, similar=code, where=where))
        return self.shown(live, listed, k, None, 0, from_cache)

    def shown(
        self,
        live: Live,
        listed: Listed,
        k: int,
        user: str | None,
        ignored: int,
        from_cache: bool,
    ) -> dict[str, Any]:
        """An answer that goes out, written down."""
        places, chances = self.explorer.choose(len(listed.codes), k)
        codes, scores = listed.codes[places].tolist(), listed.scores[places].tolist()
        because = listed.because
        shelf = live.engine.shelf
        ids, titles = shelf.ids, shelf.titles
        slate = secrets.token_hex(16)
        items = [
            {"item_id": ids[c], "title": titles[c], "score": s, "because": None}
            for c, s in zip(codes, scores)
        ]
        if because is not None:
            for shown, place in zip(items, places):
                reason = because[int(place)]
                shown["because"] = None if reason is None else ids[reason]
        self.monitor.count(live.name, listed, live.popular, from_cache)
        if self.feedback is not None:
            pseudonym = slate if user is None else self.audit.pseudonym(user)
            self.feedback.shown(slate, pseudonym, live.name, [ids[c] for c in codes], chances)
        return {
            "model": live.name,
            "artefact": live.artefact.digest[:16],
            "slate_id": slate,
            "by": listed.by,
            "fallback": listed.fallback,
            "relaxed": list(listed.relaxed),
            "ignored": ignored,
            "items": items,
        }

    async def watch(self) -> None:
        """Look for new artefacts for ever."""
        while True:
            await asyncio.sleep(self.settings.watch)
            try:
                await self.lives.reload()
            except Exception:  # whatever is wrong with a folder, the service goes on
                log.exception("looking for a new artefact failed")

    async def close(self) -> None:
        """Finish what waits, and what is to be written."""
        self.ready = False
        await self.lives.close()
        if self.feedback is not None:
            await asyncio.to_thread(self.feedback.close)
        self.audit.close()


def _codes(ids: Sequence[str], codes: dict[str, int]) -> tuple[np.ndarray, int]:
    """Codes of the ids that are items, and how many are none."""
    there = [codes[i] for i in ids if i in codes]
    return np.array(there, dtype=np.int64), len(ids) - len(there)


def _secret(path: Path) -> bytes:
    """The key of the pseudonyms, made at first use."""
    if not path.is_file():
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(32))
    return path.read_bytes()


Where = Annotated[
    list[Annotated[str, Query(max_length=2 * schemas.ID)]],
    Query(max_length=20, description="COLUMN:VALUE; repeat it for more."),
]
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": schemas.Problem} for code in (400, 401, 403, 404, 413, 422, 429, 503)
}


def create_app(settings: Settings) -> FastAPI:
    """The ASGI application over some artefacts, all read and checked before it is returned."""
    service = Service(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(service.watch()) if settings.watch else None
        yield
        if watching is not None:
            watching.cancel()
        await service.close()

    app = FastAPI(
        title="recnb",
        version=recnb.__version__,
        description="Lists of items for users, histories and texts.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=_PROBLEMS,
    )
    app.state.service = service
    _add_lists(app, service)
    _add_changes(app, service)
    _add_facts(app, service)
    _add_errors(app)
    app.add_middleware(
        Guard,  # type: ignore[arg-type]
        keys=service.keys,
        monitor=service.monitor,
        audit=service.audit,
        tls=settings.tls,
    )
    return app


def _add_lists(app: FastAPI, service: Service) -> None:
    @app.get("/recommend", response_model=schemas.Answer, tags=["lists"])
    async def recommend(
        request: Request,
        user: schemas.Id,
        k: schemas.K = 10,
        model: schemas.Id | None = None,
        where: Where = [],  # noqa: B006
        reasons: bool = False,
    ) -> Response:
        """A list for a user. A stranger gets what most have, and the answer says so."""
        question = schemas.Question(
            user=user,
            history=None,
            text=None,
            k=k,
            model=model,
            where=_where(where),
            reasons=reasons,
        )
        return Json(await service.answer(question, request))

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


def _add_changes(app: FastAPI, service: Service) -> None:
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
        except Exception:
            raise Refused(503, "the event could not be written", 1.0) from None
        service.monitor.events.labels(event.event).inc()
        return Response(status_code=204)

    @app.post("/admin/reload", tags=["admin"])
    async def reload() -> Response:
        """Take up artefacts that have changed in their folders."""
        return Json({"loaded": await service.lives.reload()})


def _add_facts(app: FastAPI, service: Service) -> None:
    @app.get("/health", tags=["facts"])
    async def health() -> Response:
        """Whether the process answers."""
        return Json({"status": "ok"})

    @app.get("/ready", tags=["facts"])
    async def ready() -> Response:
        """Whether lists can be asked for."""
        return Json({"ready": service.ready}, status_code=200 if service.ready else 503)

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
        for live in service.lives.by_name.values():
            service.monitor.queue.labels("score").set(live.scoring.waiting)
            service.monitor.queue.labels("encode").set(live.encoding.waiting)
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


def _add_errors(app: FastAPI) -> None:
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
