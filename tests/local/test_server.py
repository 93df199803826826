"""The server as a whole: starting, stopping, what every response carries."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt4o_tune import LocalServer
from tests.local.conftest import desk_at

if TYPE_CHECKING:
    from pathlib import Path

    from openai.types.fine_tuning import FineTuningJob

    from tests.local.conftest import Desk


def ask(server: LocalServer, method: str, path: str, **options: object) -> httpx.Response:
    """A request as no client library would make it."""
    headers = {"authorization": f"Bearer {server.api_key}", **options.pop("headers", {})}
    return httpx.request(method, server.base_url + path, headers=headers, timeout=30, **options)


def test_importing_the_room_loads_neither_numpy_nor_the_web_framework() -> None:
    """`import gpt4o_tune.local` is cheap, and so is naming `LocalServer` as far as numpy goes."""
    code = (
        "import sys, gpt4o_tune.local as local\n"
        "assert not {'numpy', 'starlette', 'uvicorn'} & set(sys.modules)\n"
        "local.LocalServer\n"
        "assert 'numpy' not in sys.modules and 'openai' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("missing", ["numpy", "starlette", "uvicorn", "python_multipart"])
def test_without_the_extra_the_error_names_the_command(missing: str) -> None:
    """A missing package is reported as the extra to install."""
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import gpt4o_tune.local as local\n"
        "from gpt4o_tune.errors import MissingExtraError\n"
        "try: local.LocalServer\n"
        "except MissingExtraError as error: assert 'gpt4o-tune[local]' in str(error)\n"
        "else: raise SystemExit('no error')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_temporary_folder_goes_when_the_server_stops() -> None:
    """Without a data folder nothing stays behind."""
    with LocalServer() as server:
        folder = server.data_dir
        assert folder.is_dir()
    assert not folder.exists()


def test_a_given_folder_remembers(tmp_path: Path) -> None:
    """Files, and the key, are there again when a server starts on the same folder."""
    with LocalServer(tmp_path) as server:
        key = server.api_key
        with desk_at(server.base_url, key).client as client:
            file = client.files.create(file=("a.txt", b"kept"), purpose="user_data")
    with LocalServer(tmp_path) as server:
        assert server.api_key == key
        with desk_at(server.base_url, key).client as client:
            assert client.files.content(file.id).content == b"kept"


def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second server says whose folder it is."""
    with LocalServer(tmp_path), pytest.raises(OSError, match="already uses the folder"):
        LocalServer(tmp_path).start()


def test_a_taken_port_is_reported() -> None:
    """The error of the system is passed on with advice."""
    with LocalServer() as server:
        port = httpx.URL(server.base_url).port
        with pytest.raises(OSError, match="port 0"):
            LocalServer(port=port).start()


def test_a_stopped_server_has_no_address() -> None:
    """What only a running server knows is an error before and after."""
    server = LocalServer()
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.base_url
    with server:
        assert server.start() is server
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.api_key


def test_the_provider_names_the_server(server: LocalServer) -> None:
    """`server.provider` is ready for `provider=`."""
    assert server.provider.kind == "local"
    assert server.provider.base_url == server.base_url
    assert server.base_url.endswith("/v1")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/embeddings", 404),
        ("GET", "/files/", 404),
        ("PUT", "/files", 405),
        ("DELETE", "/chat/completions", 405),
        ("POST", "/fine_tuning/jobs/ftjob-x/pause", 404),
        ("GET", "/models/unknown", 404),
        ("GET", "/files?limit=0", 400),
        ("GET", "/files?order=sideways", 400),
        ("GET", "/fine_tuning/jobs?limit=1000", 400),
        ("GET", "/fine_tuning/jobs?after=nowhere", 400),
    ],
)
def test_every_refusal_is_in_the_envelope(
    server: LocalServer, method: str, path: str, status: int
) -> None:
    """What the router refuses looks like every other error of the API, and is marked as well."""
    response = ask(server, method, path)
    assert response.status_code == status
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert response.headers["x-gpt4o-tune-stand-in"] == "tiny"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b'{"model": NaN}',
        b'{"model": "\\ud800"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"model": 3, "messages": "x"}',
    ],
    ids=["empty", "cut", "list", "null", "text", "nan", "surrogate", "bytes", "deep", "types"],
)
@pytest.mark.parametrize("path", ["/chat/completions", "/fine_tuning/jobs"])
def test_a_bad_body_is_the_callers_fault(server: LocalServer, path: str, body: bytes) -> None:
    """No body makes the server fail."""
    response = ask(server, "POST", path, content=body)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
ANY_TEXT = st.text(max_size=8)
FUNCTION = st.fixed_dictionaries({"name": ANY_TEXT, "arguments": ANY_TEXT})
CALL = st.fixed_dictionaries({"id": ANY_TEXT, "type": st.just("function"), "function": FUNCTION})
PART = st.fixed_dictionaries({"type": ANY_TEXT}, optional={"text": ANY_TEXT, "image_url": JSON})
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "function"])},
    optional={
        "content": st.none() | ANY_TEXT | st.lists(PART, max_size=2) | JSON,
        "name": ANY_TEXT,
        "tool_calls": st.lists(CALL, max_size=2) | JSON,
        "function_call": FUNCTION,
        "weight": JSON,
    },
)
TOOL = st.fixed_dictionaries(
    {"type": st.just("function"), "function": st.dictionaries(st.just("name"), st.text())},
)
PARAMETERS = st.fixed_dictionaries(
    {"name": st.text(), "parameters": st.fixed_dictionaries({"properties": JSON})}
)
TOOLS = st.lists(
    TOOL | st.fixed_dictionaries({"type": st.just("function"), "function": PARAMETERS}), max_size=2
)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    messages=st.lists(MESSAGES, min_size=1, max_size=3),
    tools=TOOLS,
    stop=st.none() | ANY_TEXT | JSON,
    extra=st.just({}) | st.dictionaries(st.sampled_from(["n", "seed", "top_p"]), JSON),
)
def test_no_conversation_makes_the_server_fail(
    server: LocalServer,
    trained: FineTuningJob,
    messages: list[object],
    tools: object,
    stop: object,
    extra: dict[str, object],
) -> None:
    """Whatever the fields hold, the answer is an answer or a refusal."""
    body = {"messages": messages, "tools": tools, "stop": stop, "max_tokens": 3, **extra}
    response = ask(
        server, "POST", "/chat/completions", json={"model": trained.fine_tuned_model, **body}
    )
    assert response.status_code in (200, 400), response.text


def test_a_huge_body_is_refused(server: LocalServer) -> None:
    """JSON bodies have a limit."""
    response = ask(server, "POST", "/chat/completions", content=b" " * (17 * 1024 * 1024))
    assert response.status_code == 413
    assert "16 MB" in response.json()["error"]["message"]


def test_a_fault_of_the_server_shows_nothing_of_its_inside() -> None:
    """Where the disk loses a file, the client sees a plain server error."""
    with LocalServer() as server, desk_at(server.base_url, server.api_key).client as client:
        file = client.files.create(file=("a.txt", b"gone"), purpose="user_data")
        (server.data_dir / "files" / file.id).unlink()
        with pytest.raises(openai.InternalServerError) as caught:
            client.files.content(file.id)
        assert str(server.data_dir) not in str(caught.value)
        assert caught.value.code == "server_error"


def test_the_client_sees_a_request_id(desk: Desk) -> None:
    """Each response carries an id of its own."""
    first, second = desk.client.models.list(), desk.client.models.list()
    assert first._request_id
    assert first._request_id != second._request_id


def test_the_rest_of_the_surface_says_what_is_offered(server: LocalServer) -> None:
    """A client that looks for another API learns what there is."""
    message = ask(server, "POST", "/responses", json={}).json()["error"]["message"]
    assert "POST /v1/responses" in message
    assert "chat/completions" in message
