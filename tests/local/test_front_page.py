"""The page at `/`: how it is served, and what a person sees and does on it in a real browser."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

import httpx
import pytest

from gpt4o_tune import LocalServer
from tests.browser import CHROMIUM, Browser
from tests.local.conftest import ROWS, desk_at, jsonl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.local.conftest import Desk

MARKUP = "<img src=x onerror=alert(1)>"
QUESTION = "hello, track the parcel"


def address(server: LocalServer) -> str:
    """Where the page is, without the key."""
    return server.base_url.removesuffix("v1")


def fetch(server: LocalServer, *, host: str | None = None, method: str = "GET") -> httpx.Response:
    """The page, asked for under a name."""
    headers = {} if host is None else {"host": host}
    return httpx.request(method, address(server), headers=headers, timeout=30)


def test_the_page_is_served_without_a_key_and_holds_none(server: LocalServer) -> None:
    """Who has no key gets an empty page; its headers keep other pages out, and the API stays shut."""
    response = fetch(server)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["x-gpt4o-tune-stand-in"] == "tiny"
    assert server.api_key not in response.text
    assert str(server.data_dir) not in response.text
    assert fetch(server, method="HEAD").content == b""
    assert httpx.get(f"{server.base_url}/models", timeout=30).status_code == 401
    assert httpx.get(f"{address(server)}index.html", timeout=30).status_code == 401


def test_only_the_pages_own_code_may_run(server: LocalServer) -> None:
    """The policy names the style and the script by hash, and the page has no other code and no address."""
    response = fetch(server)
    policy = response.headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'self'"
    for tag in ("style", "script"):
        codes = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", response.text, re.DOTALL)
        digest = hashlib.sha256(codes[0].encode()).digest()
        assert len(codes) == 1
        assert rules[f"{tag}-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert not re.search(r"<[^>]+\s(on\w+|style)=", response.text)
    linked = re.findall(r"(?:src|href)=\"([^\"]*)\"", response.text)
    assert all(link.startswith(("#", "data:")) for link in linked)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8080", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8080", 200),
        ("192.168.1.5", 200),
        ("attacker.example", 421),
        ("attacker.example:8080", 421),
        ("localhost.attacker.example", 421),
        ("127.0.0.1.attacker.example", 421),
        ("[attacker.example]", 421),
        ("", 421),
    ],
)
def test_a_foreign_name_is_not_answered(server: LocalServer, host: str, status: int) -> None:
    """A name that somebody could point at this machine gets no page (DNS rebinding)."""
    response = fetch(server, host=host)
    assert response.status_code == status
    if status == 421:
        assert "localhost" in response.json()["error"]["message"]


def test_only_reading_is_allowed(server: LocalServer) -> None:
    """Another method is refused in the API's own shape."""
    response = fetch(server, method="POST")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"
    assert response.json()["error"]["code"] == "method_not_supported"


def test_the_address_keeps_the_key_behind_the_hash() -> None:
    """A key of any signs survives in `page_url`, in the part that browsers do not send."""
    with LocalServer(api_key="a/b #1&é") as server:
        url = httpx.URL(server.page_url)
        assert (url.path, url.query) == ("/", b"")
        assert url.fragment == "key=a/b #1&é"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A browser of the test's own."""
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine")
    with Browser(tmp_path) as running:
        yield running


@pytest.fixture
def own_server() -> Iterator[LocalServer]:
    """A server on which nothing has happened, with room for two jobs at a time."""
    with LocalServer(slots=2) as running:
        yield running


@pytest.fixture
def own_desk(own_server: LocalServer) -> Iterator[Desk]:
    """A desk at it."""
    desk = desk_at(own_server.base_url, own_server.api_key)
    with desk.client:
        yield desk


def decide(browser: Browser, act: str, status: str) -> None:
    """Press a button of the job, confirm, and wait for what the server then says."""
    browser.click(f"[data-act={act}]")
    browser.click("#ask-yes")
    browser.until(f"document.querySelector('#job-status').textContent === '{status}'")


def pick(browser: Browser, name: str) -> None:
    """Choose a job of the list by its name."""
    place = f"[...document.querySelectorAll('#job-list .name')].findIndex(n => n.textContent === '{name}')"
    browser.until(f"{place} >= 0")
    browser.click(f"#job-list li:nth-child({browser.ask(place) + 1}) button")
    browser.until(f"document.querySelector('#job-title').textContent === '{name}'")


def test_jobs_are_followed_and_models_answer(
    browser: Browser, own_server: LocalServer, own_desk: Desk
) -> None:
    """A curve grows, a job is paused, resumed and cancelled, a checkpoint answers; nothing complains."""
    browser.open(own_server.page_url)
    browser.until("document.querySelector('#no-job').checkVisibility()")
    assert browser.ask("location.href") == address(own_server)

    file_id = own_desk.upload(jsonl(ROWS), name=f"{MARKUP}.jsonl").id
    short = own_desk.create(
        file_id, n_epochs=20, suffix="short", validation_file=file_id, metadata={"note": MARKUP}
    )
    settings = {"n_epochs": 50, "batch_size": 1}
    method = {"type": "supervised", "supervised": {"hyperparameters": settings}}
    long = own_desk.create(file_id, suffix="long", method=method)

    pick(browser, "long")
    points = "+(document.querySelector('#loss .train')?.dataset.points ?? 0)"
    browser.until(f"{points} > 1")
    browser.until(f"{points} > {browser.ask(points)}")
    decide(browser, "pause", "paused")
    decide(browser, "resume", "running")
    decide(browser, "cancel", "cancelled")
    assert own_desk.client.fine_tuning.jobs.retrieve(long.id).status == "cancelled"

    trained = own_desk.finished(short.id)
    pick(browser, "short")
    browser.until("document.querySelectorAll('#checkpoints tbody tr').length === 3")
    facts = browser.ask("document.querySelector('#facts').textContent")
    assert f"{MARKUP}.jsonl" in facts
    assert f"Metadata: note{MARKUP}" in facts
    assert f"Trained tokens{trained.trained_tokens:,}" in facts
    browser.click("#log")
    assert "full validation" in browser.ask("document.querySelector('#loss .readout').textContent")

    browser.click("#checkpoints tbody tr:nth-child(2) button")
    model = browser.ask("document.querySelector('#chat-model').value")
    assert model.startswith(f"{trained.fine_tuned_model}:ckpt-step-")
    browser.click("#chat summary")
    browser.ask("document.querySelector('#chat-temperature').value = '0'")
    browser.click("#chat-text")
    browser.type(QUESTION)
    browser.press("Enter")
    browser.until("document.querySelector('#usage').textContent.includes('tokens')")
    answer = browser.ask("document.querySelector('.turn[data-role=assistant] .what').textContent")
    assert answer == own_desk.answer(model, QUESTION)
    assert browser.ask("document.querySelectorAll('img, #room script').length") == 0
    assert browser.complaints(service=own_server.base_url) == []


def test_models_are_deleted_after_a_question(
    browser: Browser, own_server: LocalServer, own_desk: Desk
) -> None:
    """Who thinks again keeps the model; who does not is rid of it."""
    job = own_desk.finished(own_desk.create(own_desk.upload(jsonl(ROWS)).id, n_epochs=1).id)
    browser.open(own_server.page_url)
    count = "document.querySelectorAll('#tuned li').length"
    browser.until(f"{count} === 2")
    browser.click("#tuned .grave")
    browser.click("#ask-no")
    assert browser.ask(count) == 2
    browser.click("#tuned .grave")
    browser.click("#ask-yes")
    browser.until(f"{count} === 1")
    left = [model.id for model in own_desk.client.models.list() if model.id.startswith("ft:")]
    assert job.fine_tuned_model not in left
    assert len(left) == 1


def test_the_key_is_asked_for(browser: Browser, own_server: LocalServer) -> None:
    """A wrong key is told so, the right one opens, a reload keeps it, and it can be forgotten."""
    browser.open(f"{address(own_server)}#key=wrong")
    browser.until("document.querySelector('#key-fault').textContent.includes('not know this key')")
    assert browser.ask("location.hash") == ""
    browser.click("#key")
    browser.type(own_server.api_key)
    browser.click("#key-form .main")
    browser.until("document.querySelector('#connection').textContent === 'Connected'")
    browser.open(address(own_server))
    browser.until("document.querySelector('#connection').textContent === 'Connected'")
    browser.click("#lock")
    browser.wait_for("Page.loadEventFired")
    browser.until("document.querySelector('#door').checkVisibility()")


def test_a_restart_is_survived(browser: Browser, tmp_path: Path) -> None:
    """The page says that the server is away, and goes on once it is back."""
    with LocalServer(tmp_path / "kept") as server:
        port = httpx.URL(server.base_url).port
        browser.open(server.page_url)
        browser.until("document.querySelector('#connection').textContent === 'Connected'")
    # As when the person comes back to the tab: the page looks at once.
    browser.ask("document.dispatchEvent(new Event('visibilitychange'))")
    browser.until("document.querySelector('#connection').textContent.includes('away')")
    with LocalServer(tmp_path / "kept", port) as server:
        with desk_at(server.base_url, server.api_key).client as client:
            client.files.create(file=("new.txt", b"x"), purpose="user_data")
        browser.until("document.querySelector('#connection').textContent === 'Connected'")
        browser.until("document.querySelector('#file-list').textContent.includes('new.txt')")
