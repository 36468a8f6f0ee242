"""What one would write with FastAPI for `GET /api/exits`: models, the key as a bearer token, a request id. The exits are read once."""

import hashlib
import hmac
import json
import os
import uuid

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel


class Server(BaseModel):
    hostname: str
    address: str
    city: str | None = None
    load: int | None = None
    latency_ms: float | None = None


class Proxy(BaseModel):
    url: str
    socks5: str
    username: str


class Health(BaseModel):
    verdict: str
    reason: str | None = None
    latency_ms: float | None = None
    success_rate: float | None = None
    score: float
    handshake_age_s: float | None = None
    checked_at: str | None = None


class Exit(BaseModel):
    id: str
    country: str
    provider: str | None = None
    server: Server | None = None
    state: str
    reason: str | None = None
    detail: str | None = None
    leaving: bool
    exit_ip: str | None = None
    exit_country: str | None = None
    proxy: Proxy
    health: Health
    generation: int
    attempts: int
    retry_at: str | None = None
    since: str


class Exits(BaseModel):
    exits: list[Exit]


with open(os.environ["BENCH_BODY"]) as file:
    EXITS = [Exit(**entry) for entry in json.load(file)["exits"]]
DIGEST = os.environ["BENCH_KEY"]
app = FastAPI()
bearer = HTTPBearer(auto_error=False)


async def authorized(credentials: HTTPAuthorizationCredentials | None = Depends(bearer)):  # noqa: B008
    if credentials is None:
        raise HTTPException(401, "an API key is needed")
    if not hmac.compare_digest(hashlib.sha256(credentials.credentials.encode()).hexdigest(), DIGEST):
        raise HTTPException(401, "no such API key")


async def named(request: Request, response: Response):
    response.headers["X-Request-ID"] = request.headers.get("x-request-id") or uuid.uuid4().hex[:16]


@app.get("/api/exits", response_model=Exits, response_model_exclude_none=True, dependencies=[Depends(named), Depends(authorized)])
async def exits():
    return Exits(exits=EXITS)
