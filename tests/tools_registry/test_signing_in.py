"""Signing in to a server (OAuth 2.1): a real authorization server on loopback, and a browser that does what it is told."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx2
import pytest

from atlas.tools_registry import Registry, ServerConfig
from atlas.tools_registry.oauth import NobodyToSignIn, auth_for

Serve = Callable[..., Any]
SECONDS = 120


class Authority:
    """Registers clients, gives codes and tokens; what it gave can be taken back."""

    def __init__(self, lifetime_seconds: int = 3_600) -> None:
        self.lifetime_seconds = lifetime_seconds
        self.refuses_people = self.refuses_renewal = False
        self.clients: dict[str, Any] = {}
        self.codes: dict[str, Any] = {}
        self.access: dict[str, Any] = {}
        self.renewal: dict[str, Any] = {}
        self.log: list[str] = []

    async def get_client(self, client_id: str) -> Any:
        return self.clients.get(client_id)

    async def register_client(self, client_info: Any) -> None:
        self.log.append("registered")
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client: Any, params: Any) -> str:
        from mcp.server.auth.provider import AuthorizationCode, construct_redirect_uri

        self.log.append("asked the person")
        if self.refuses_people:
            said = {"error": "access_denied", "error_description": "not today"}
            return construct_redirect_uri(str(params.redirect_uri), state=params.state, **said)
        code = secrets.token_urlsafe(16)
        self.codes[code] = AuthorizationCode(
            code=code, scopes=params.scopes or [], expires_at=time.time() + 300, client_id=client.client_id,
            **params.model_dump(include={"code_challenge", "redirect_uri", "redirect_uri_provided_explicitly", "resource"}),
        )  # fmt: skip
        return construct_redirect_uri(str(params.redirect_uri), code=code, state=params.state)

    async def load_authorization_code(self, client: Any, authorization_code: str) -> Any:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(self, client: Any, authorization_code: Any) -> Any:
        del self.codes[authorization_code.code]
        self.log.append("gave tokens")
        return self._tokens(client.client_id, authorization_code.scopes)

    async def load_refresh_token(self, client: Any, refresh_token: str) -> Any:
        return None if self.refuses_renewal else self.renewal.get(refresh_token)

    async def exchange_refresh_token(self, client: Any, refresh_token: Any, scopes: list[str]) -> Any:
        del self.renewal[refresh_token.token]
        self.log.append("renewed tokens")
        return self._tokens(client.client_id, scopes)

    async def load_access_token(self, token: str) -> Any:
        return self.access.get(token)

    async def revoke_token(self, token: Any) -> None: ...

    def _tokens(self, client_id: str, scopes: list[str]) -> Any:
        from mcp.server.auth.provider import AccessToken, RefreshToken
        from mcp.shared.auth import OAuthToken

        access, renewal = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        self.access[access] = AccessToken(token=access, client_id=client_id, scopes=scopes)
        self.renewal[renewal] = RefreshToken(token=renewal, client_id=client_id, scopes=scopes)
        return OAuthToken(access_token=access, refresh_token=renewal, expires_in=self.lifetime_seconds)


Browser = Callable[[str], str]


def brings(address: str) -> str:
    """A browser that goes where it is sent."""
    return address


def with_another(**replaced: str) -> Browser:
    """A browser that brings back something else than the authorization server said."""

    def alter(address: str) -> str:
        parts = urlsplit(address)
        return urlunsplit(parts._replace(query=urlencode(dict(parse_qsl(parts.query)) | replaced)))

    return alter


class Person:
    """Is shown an address, opens it, and is sent back to Atlas."""

    def __init__(self, browser: Browser | None = brings) -> None:
        self.browser, self.shown = browser, list[str]()

    async def __call__(self, config: ServerConfig, address: str) -> None:
        self.shown.append(address)
        if self.browser is None:
            raise NobodyToSignIn("it asks its user to sign in")
        async with httpx2.AsyncClient(trust_env=False) as client:
            answer = await client.get(address)
            assert answer.status_code == 302, answer.text
            page = await client.get(self.browser(answer.headers["location"]))
            assert page.status_code == 200


@pytest.fixture
def secured(serve: Serve, unused_port: int) -> Callable[[Authority], Any]:
    """Serves a server whose tool takes a token of the authority; gives its configuration."""

    @contextmanager
    def serving(authority: Authority) -> Iterator[ServerConfig]:
        from mcp.server import MCPServer
        from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions

        url = f"http://127.0.0.1:{unused_port}"
        settings = AuthSettings(
            issuer_url=url, resource_server_url=f"{url}/mcp", validate_token_resource=False,
            client_registration_options=ClientRegistrationOptions(enabled=True),
        )  # type: ignore[arg-type]  # fmt: skip
        server = MCPServer("safe", auth_server_provider=authority, auth=settings)

        @server.tool()
        def secret() -> str:
            """Tells the secret."""
            return "mellon"

        with serve(server.streamable_http_app(), unused_port):
            yield ServerConfig("safe", "http", url=f"{url}/mcp", connect_seconds=SECONDS)

    return serving


def ask(config: ServerConfig, home: Path | None, person: Person, times: int = 1) -> str:
    """Open a registry and call the tool; the result, or why the server cannot be used."""

    async def main() -> str:
        signed = {"auth": auth_for(config, home, person)}
        async with asyncio.timeout(SECONDS), Registry([config], callbacks=lambda _: signed) as registry:
            if registry.servers[0].problem:
                return f"problem: {registry.servers[0].problem}"
            return " ".join([str(await registry.call(registry.tools["safe.secret"], {})) for _ in range(times)])

    return asyncio.run(main())


def kept(home: Path) -> Path:
    (file,) = (home / "oauth").iterdir()
    return file


def change(file: Path, **replaced: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | replaced))


def test_signing_in_once_is_enough(secured: Callable[[Authority], Any], tmp_path: Path) -> None:
    authority, person = Authority(), Person()
    with secured(authority) as config:
        assert ask(config, tmp_path, person, times=2) == "mellon mellon"
        assert len(person.shown) == 1 and "code_challenge_method=S256" in person.shown[0]
        assert ask(config, tmp_path, Person(None)) == "mellon"
    assert authority.log == ["registered", "asked the person", "gave tokens"]
    assert kept(tmp_path).stat().st_mode & 0o777 == 0o600 and kept(tmp_path).parent.stat().st_mode & 0o777 == 0o700


def test_a_token_whose_time_is_over_is_renewed_in_a_later_process_without_the_person(
    secured: Callable[[Authority], Any], tmp_path: Path
) -> None:
    authority = Authority()
    with secured(authority) as config:
        ask(config, tmp_path, Person())
        change(kept(tmp_path), expires_at=time.time() - 60)
        authority.log.clear()
        assert ask(config, tmp_path, Person(None)) == "mellon"
        assert ask(config, tmp_path, Person(None)) == "mellon"
    assert authority.log == ["renewed tokens"]


def test_a_token_that_the_server_takes_no_more_is_renewed_without_the_person(
    secured: Callable[[Authority], Any], tmp_path: Path
) -> None:
    authority = Authority()
    with secured(authority) as config:
        ask(config, tmp_path, Person())
        authority.access.clear()
        authority.log.clear()
        assert ask(config, tmp_path, Person(None)) == "mellon"
    assert authority.log == ["renewed tokens"]


def test_where_renewal_is_refused_the_person_is_asked_again(secured: Callable[[Authority], Any], tmp_path: Path) -> None:
    authority, person = Authority(), Person()
    with secured(authority) as config:
        ask(config, tmp_path, Person())
        authority.access.clear()
        authority.refuses_renewal = True
        authority.log.clear()
        assert "sign in" in ask(config, tmp_path, Person(None))
        assert ask(config, tmp_path, person) == "mellon"
    assert len(person.shown) == 1 and authority.log[-1] == "gave tokens" and "renewed tokens" not in authority.log


def test_a_person_who_refuses_is_heard(secured: Callable[[Authority], Any], tmp_path: Path) -> None:
    authority = Authority()
    authority.refuses_people = True
    with secured(authority) as config:
        assert "not today" in ask(config, tmp_path, Person())
    assert "gave tokens" not in authority.log


def test_an_answer_to_another_question_is_not_taken(secured: Callable[[Authority], Any], tmp_path: Path) -> None:
    authority = Authority()
    with secured(authority) as config:
        assert ask(config, tmp_path, Person(with_another(state="of somebody else"))).startswith("problem")
        assert ask(config, tmp_path, Person(with_another(code="guessed"))).startswith("problem")
    assert "gave tokens" not in authority.log


def test_nobody_to_sign_in_is_said_and_nothing_is_kept_but_the_registration(
    secured: Callable[[Authority], Any], tmp_path: Path
) -> None:
    authority = Authority()
    with secured(authority) as config:
        assert "sign in" in ask(config, tmp_path, Person(None))
    assert authority.log == ["registered"] and "tokens" not in json.loads(kept(tmp_path).read_text())


@pytest.mark.parametrize(
    "damage", ["no json", "[]", '{"tokens": 5}', '{"tokens": {"access_token": 7}, "client": "x", "expires_at": "soon"}']
)
def test_a_damaged_file_of_tokens_means_signing_in_again(
    secured: Callable[[Authority], Any], tmp_path: Path, damage: str
) -> None:
    authority, person = Authority(), Person()
    with secured(authority) as config:
        ask(config, tmp_path, Person())
        kept(tmp_path).write_text(damage)
        assert ask(config, tmp_path, person) == "mellon"
    assert len(person.shown) == 1 and kept(tmp_path).stat().st_mode & 0o777 == 0o600


def test_without_a_home_tokens_live_as_long_as_the_registry(secured: Callable[[Authority], Any], tmp_path: Path) -> None:
    person = Person()
    with secured(Authority()) as config:
        assert ask(config, None, person, times=2) == "mellon mellon"
        assert ask(config, None, person) == "mellon"
    assert len(person.shown) == 2


def test_a_header_of_the_configuration_is_left_to_do_it() -> None:
    assert auth_for(ServerConfig("a", "http", url="http://x", headers={"authorization": "mine"}), None, Person()) is None
    assert auth_for(ServerConfig("a", command="x"), None, Person()) is None
