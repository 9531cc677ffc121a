"""The application: the service behind its routes and its door."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI

import recnb
from recnb.serving.http import routes, schemas
from recnb.serving.http.guard import Guard
from recnb.serving.http.live import Checks
from recnb.serving.http.service import Service, Settings

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": schemas.Problem} for code in (400, 401, 403, 404, 413, 422, 429, 503)
}


def create_app(settings: Settings, checks: Checks | None = None) -> FastAPI:
    """The ASGI application over some artefacts, all checked and read before it is returned.

    Parameters
    ----------
    settings : Settings
    checks : mapping of Path to Future, optional
        What :func:`recnb.serving.manifest.checked` gives for folders that are being checked already.
    """
    service = Service(settings, checks)

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
    routes.add_lists(app, service)
    routes.add_changes(app, service)
    routes.add_facts(app, service)
    routes.add_errors(app)
    app.add_middleware(
        Guard,  # type: ignore[arg-type]
        keys=service.keys,
        monitor=service.monitor,
        audit=service.audit,
        tls=settings.tls,
    )
    return app
