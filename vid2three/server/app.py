"""The endpoint: submit, status, files, cancel, delete. Schemas are checked by FastAPI, all else by the library."""

from __future__ import annotations

import asyncio
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, File, Form, HTTPException, Path, Query, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from fastapi.security import HTTPBearer

import vid2three
from vid2three.errors import is_users_mistake, sentence
from vid2three.run import MANIFEST
from vid2three.server import schemas
from vid2three.server.desk import Desk, Full
from vid2three.server.guard import Guard, Rules
from vid2three.server.requests import Unreadable, from_prompt, from_video, read_settings, told
from vid2three.server.store import ID, Stored

ENDED = ("done", "failed", "cancelled")
POLL_S = 0.2  # between looks of a stream of events at its asset
BLOCK = 2**18
SANDBOX = {"Content-Security-Policy": "sandbox allow-scripts allow-popups"}  # pages of assets may not ask the server
EVENT = {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]}
Id = Annotated[str, Path(pattern=f"^{ID}$", description="What the answer to a request called it.")]


def _problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    words = {
        400: "The request cannot be read.",
        404: "There is no such asset or file.",
        409: "The asset still waits or runs.",
        413: "The request holds too much.",
        415: "The upload is of no kind that is taken.",
        422: "Something that was asked for cannot be; the sentence says what, and the cure.",
        429: "The queue is full; come back after the seconds of Retry-After.",
        507: "As many assets are stored as may be; delete some.",
    }
    return {code: {"model": schemas.Problem, "description": words[code]} for code in codes}


TAKEN = _problems(400, 413, 422, 429, 507)
router = APIRouter(responses={
    401: {"model": schemas.Problem, "description": "No token, or a wrong one, where the server asks for one."},
    403: {"model": schemas.Problem, "description": "A Host or Origin header of somebody else's."},
})  # fmt: skip


def create_app(desk: Desk, rules: Rules) -> FastAPI:
    """Return the application; it starts the desk and closes it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(desk.start)
        yield
        await asyncio.to_thread(desk.close)

    app = FastAPI(
        title="vid2three",
        version=vid2three.__version__,
        description="A prompt, a picture or a video becomes a 3D asset.",
        lifespan=lifespan,
        docs_url=None,  # its page would fetch scripts from elsewhere
        redoc_url=None,
        dependencies=[] if rules.token is None else [_bearer()],
    )
    app.state.desk, app.state.rules = desk, rules
    app.include_router(router)
    app.add_middleware(Guard, rules=rules)  # type: ignore[arg-type]
    for kind in (RequestValidationError, Full, Unreadable, ValueError, FileNotFoundError):
        app.add_exception_handler(kind, _problem)
    return app


@router.get("/health")
def health(request: Request) -> schemas.Health:
    """Say how much there is to do."""
    desk = _desk(request)
    counts = {"queued": desk.count("queued"), "running": desk.count("running"), "stored": len(desk.all())}
    bounds = {"max_queue": desk.max_queue, "max_assets": desk.max_assets}
    return schemas.Health(version=vid2three.__version__, **counts, **bounds)


@router.post("/assets", status_code=202, responses=TAKEN)
def make(request: Request, response: Response, asked: schemas.MakeRequest) -> schemas.Asset:
    """Make an asset from a prompt."""
    return _accepted(request, response, from_prompt(_desk(request), asked))


@router.post("/assets/from-image", status_code=202, responses=TAKEN | _problems(415))
def make_from_image(
    request: Request,
    response: Response,
    prompt: Annotated[str, Form(min_length=1, max_length=1000, description="What the picture shows.")],
    image: Annotated[UploadFile, File(description="The thing from its front: PNG, JPEG or WebP.")],
    seed: Annotated[int, Form(ge=0, lt=2**63)] = 0,
    preset: Annotated[schemas.Preset, Form()] = "standard",
    settings: Annotated[str, Form(max_length=20_000, description="MakeSettings as JSON.")] = "{}",
) -> schemas.Asset:
    """Make an asset from a prompt and a picture that its clip begins with."""
    asked = schemas.MakeRequest.model_construct(
        prompt=prompt, seed=seed, preset=preset, settings=read_settings(settings)
    )
    return _accepted(request, response, from_prompt(_desk(request), asked, image.file))


@router.post("/assets/from-video", status_code=202, responses=TAKEN | _problems(415))
def reconstruct(
    request: Request,
    response: Response,
    video: Annotated[UploadFile, File(description="Once around the thing: MP4, MOV, WebM, MKV, GIF or AVI.")],
    seed: Annotated[int, Form(ge=0, lt=2**63)] = 0,
    preset: Annotated[schemas.Preset, Form()] = "standard",
    settings: Annotated[str, Form(max_length=20_000, description="ReconstructSettings as JSON.")] = "{}",
    force: Annotated[bool, Form(description="Go on with cameras that are not to be believed.")] = False,
) -> schemas.Asset:
    """Make an asset from a video."""
    made = from_video(_desk(request), video.file, seed, preset, settings, force)
    return _accepted(request, response, made)


@router.get("/assets", responses=_problems(422))
def list_assets(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> schemas.AssetList:
    """List assets, the newest first."""
    desk = _desk(request)
    found = desk.all()
    shown = [_asset(desk, stored) for stored in found[offset : offset + limit]]
    return schemas.AssetList(total=len(found), assets=shown)


@router.get("/assets/{id}", responses=_problems(404, 422))
def status(request: Request, id: Id) -> schemas.Asset:
    """Say what has come of an asset."""
    desk = _desk(request)
    return _asset(desk, _found(desk, id))


@router.get(
    "/assets/{id}/events",
    response_class=StreamingResponse,
    responses=_problems(404, 422)
    | {200: {"content": {"text/event-stream": {"schema": EVENT}}, "description": "An Asset in each event's data."}},
)
async def events(request: Request, id: Id) -> StreamingResponse:
    """Stream the asset as server-sent events, each time that something changes, until it has ended."""
    desk = _desk(request)
    _found(desk, id)

    async def stream() -> AsyncIterator[str]:
        before = None
        while (stored := desk.get(id)) is not None:
            told = (await asyncio.to_thread(_asset, desk, stored)).model_dump_json()
            if told != before:
                yield f"data: {told}\n\n"
            if stored.state in ENDED:
                return
            before = told
            await asyncio.sleep(POLL_S)

    return StreamingResponse(stream(), media_type="text/event-stream")


@router.post("/assets/{id}/cancel", status_code=202, responses=_problems(404, 422))
def cancel(request: Request, id: Id) -> schemas.Asset:
    """Stop an asset that waits or runs; soon after, its state is cancelled. One that has ended stays as it is."""
    desk = _desk(request)
    _found(desk, id)
    desk.cancel(id)
    return _asset(desk, _found(desk, id))


@router.delete("/assets/{id}", status_code=204, responses=_problems(404, 409, 422))
def delete(request: Request, id: Id) -> None:
    """Remove an asset that has ended, and its files."""
    desk = _desk(request)
    _found(desk, id)
    if not desk.delete(id):
        raise HTTPException(409, "The asset still waits or runs; cancel it first.")


@router.get("/assets/{id}/files", responses=_problems(404, 422))
def files(request: Request, id: Id) -> schemas.Files:
    """List the files that are there so far."""
    desk = _desk(request)
    known = desk.store.manifest(_found(desk, id).id).get("files", {})
    found = [schemas.File(name=name, bytes=facts["bytes"], sha256=facts["sha256"]) for name, facts in known.items()]
    return schemas.Files(files=sorted(found, key=lambda file: file.name))


@router.get(
    "/assets/{id}/files/{name:path}",
    response_class=FileResponse,
    responses=_problems(404, 422) | {200: {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}},
)
def file(request: Request, id: Id, name: Annotated[str, Path(max_length=200)]) -> FileResponse:
    """Send one of them, such as mesh.glb, or asset.json."""
    desk = _desk(request)
    path = desk.store.file(_found(desk, id).id, name)
    if path is None:
        raise HTTPException(404, "The asset has no such file, or not yet.")
    kinds = {".glb": "model/gltf-binary", ".ply": "application/octet-stream"}
    return FileResponse(path, media_type=kinds.get(path.suffix), headers=SANDBOX if path.suffix == ".html" else None)


@router.get(
    "/assets/{id}/zip",
    response_class=StreamingResponse,
    responses=_problems(404, 409, 422)
    | {200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
def zipped(request: Request, id: Id) -> StreamingResponse:
    """Send the run folder of a finished asset as one file."""
    desk = _desk(request)
    stored = _found(desk, id)
    if stored.state != "done":
        raise HTTPException(409, f"The asset is {stored.state}; a zip is of one that is done.")
    manifest = desk.store.manifest(id)
    headers = {"Content-Disposition": f'attachment; filename="{id}.zip"'}
    blocks = _zip(desk, id, [*manifest["files"], MANIFEST])
    return StreamingResponse(blocks, media_type="application/zip", headers=headers)


def _zip(desk: Desk, id: str, names: list[str]) -> Iterator[bytes]:
    with tempfile.TemporaryFile(dir=desk.store.folder) as whole:
        with zipfile.ZipFile(whole, "w") as archive:
            for name in names:
                if (path := desk.store.file(id, name)) is not None:
                    archive.write(path, f"{id}/{name}")
        whole.seek(0)
        while block := whole.read(BLOCK):
            yield block


def _desk(request: Request) -> Desk:
    return request.app.state.desk


def _found(desk: Desk, id: str) -> Stored:
    stored = desk.get(id)
    if stored is None:
        raise HTTPException(404, "There is no asset of this id.")
    return stored


def _asset(desk: Desk, stored: Stored) -> schemas.Asset:
    """Return what an answer says of an asset; paths of this machine are not in it."""
    manifest = desk.store.manifest(stored.id) if stored.state == "done" else {}
    return schemas.Asset(
        id=stored.id,
        state=stored.state,  # type: ignore[arg-type]
        command=stored.command,  # type: ignore[arg-type]
        prompt=stored.what if stored.command == "make" else None,
        seed=stored.seed,
        preset=stored.preset,  # type: ignore[arg-type]
        created=stored.created,
        ended=stored.ended,
        progress=None if stored.progress is None else schemas.Progress(**stored.progress),
        notes=list(stored.notes),
        reason=None if stored.reason is None else stored.reason.replace(f"{desk.store.folder}/", ""),
        verdict=manifest.get("verdict", {}).get("decision"),
        match=manifest.get("files", {}).get("orbit.mp4", {}).get("match"),
        restarts=stored.restarts,
    )


def _accepted(request: Request, response: Response, stored: Stored) -> schemas.Asset:
    response.headers["Location"] = f"/assets/{stored.id}"
    return _asset(_desk(request), stored)


def _bearer() -> Any:
    return Depends(HTTPBearer(auto_error=False))  # for OpenAPI; the guard checks it


def _problem(request: Request, error: Exception) -> JSONResponse:
    """Answer with a sentence what the user can mend; a bug stays one."""
    if isinstance(error, RequestValidationError):
        return JSONResponse({"detail": told(error.errors())}, 422)
    if isinstance(error, Full):
        return JSONResponse({"detail": sentence(error)}, 507 if error.is_stored else 429, {"Retry-After": "30"})
    if not is_users_mistake(error):
        raise error
    return JSONResponse({"detail": sentence(error)}, 415 if isinstance(error, Unreadable) else 422)
