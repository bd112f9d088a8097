"""Fetching model files, from a server on loopback that fails in every way that servers do."""

from __future__ import annotations

import hashlib
import io
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from models.local.file_server import FileServer, answer, cut, redirect, serve

from agentkit.errors import AuthFailed, MalformedResponse, ModelError, ModelNotFound, Unavailable, UsageError
from agentkit.models.local import Local, download, weights
from agentkit.models.local.progress import Progress
from agentkit.models.retrying import Retries

BYTES = b"GGUF" + random.Random(7).randbytes(300_000)
SHA256 = hashlib.sha256(BYTES).hexdigest()
OTHER = b"GGUF" + random.Random(8).randbytes(300_000)
PATH = "/models/tiny.gguf"
HUB = "/ann/tiny/resolve/main/q4/tiny.gguf"


@pytest.fixture
def server(monkeypatch):
    """A server with one file, which is also the hub."""
    with FileServer() as server:
        server.files[PATH] = BYTES
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield server


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder of models, and no long waits."""
    monkeypatch.setenv("AGENTKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(download, "RETRIES", Retries(times=2, first_delay_s=0.01))
    return tmp_path / "models"


def left_in(folder):
    """The names of what is there."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def part_in(folder):
    """How much of a file has come."""
    (part,) = folder.rglob("*.part")
    return part.stat().st_size


def test_a_url_is_fetched_and_kept(server, folder):
    """The file is whole, under host and path, alone in its folder, and the second time nothing is asked for."""
    seen = []
    file = weights.pull(server.url + PATH, on_progress=lambda *now: seen.append(now))
    assert file.read_bytes() == BYTES
    assert file == folder / server.url.removeprefix("http://").replace(":", "_") / "models" / "tiny.gguf"
    assert left_in(folder) == ["tiny.gguf"]
    assert seen[-1] == (len(BYTES), len(BYTES))
    assert weights.pull(server.url + PATH, sha256=SHA256.upper()) == file
    assert len(server.asked) == 1


def test_cuts_are_gone_on_from_without_a_word(server):
    """As long as bytes come, any number of cuts is survived, and no byte is fetched twice."""
    ends = [1000, 50_000, 50_001, 120_000, 200_000, 299_999]
    server.plays[PATH] = [play for end in ends for play in (cut(server, end), lambda _: False)][:-1]
    server.plays[PATH] = [cut(server, ends[0])]
    for end in ends[1:]:
        server.plays[PATH] += [lambda _: False, cut(server, end)]
    assert weights.pull(server.url + PATH).read_bytes() == BYTES
    assert [asked for asked in server.ranges(PATH) if asked] == [f"bytes={end}-" for end in ends]


def test_a_server_that_keeps_cutting_at_one_place_is_given_up(server, folder):
    """No progress, no endless tries; what has come is kept, and gone on from later."""
    server.plays[PATH] = [cut(server, 5000)] + [lambda _: False, cut(server, 5000)] * 9
    with pytest.raises(Unavailable):
        weights.pull(server.url + PATH)
    assert part_in(folder) == 5000
    server.plays.clear()
    assert weights.pull(server.url + PATH).read_bytes() == BYTES
    assert server.ranges(PATH)[-1] == "bytes=5000-"
    assert left_in(folder) == ["tiny.gguf"]


def test_a_changed_file_is_never_glued_to_an_old_half(server, folder):
    """Another ETag, another part; the old one is removed in the end."""
    server.plays[PATH] = [cut(server, 5000)] + [answer(503, {}, b"")] * 9
    with pytest.raises(Unavailable):
        weights.pull(server.url + PATH)
    server.plays.clear()
    server.files[PATH] = OTHER
    assert weights.pull(server.url + PATH).read_bytes() == OTHER
    assert left_in(folder) == ["tiny.gguf"]


def test_a_file_that_changes_between_two_requests_is_not_glued_either(server):
    """The server gives the new one whole (If-Range), or a range of it with another ETag."""
    for ignores_if_range in (False, True):

        def change(request, ignores_if_range=ignores_if_range):
            server.files[PATH] = OTHER
            if ignores_if_range:
                del request.headers["If-Range"]
            serve(server, request)

        server.files[PATH] = BYTES
        url = f"{server.url}{PATH}"
        server.plays[PATH] = [cut(server, 5000), lambda _: False, change]
        file = weights.pull(url)
        assert file.read_bytes() == OTHER
        file.unlink()


@pytest.mark.parametrize("etag", ['W/"weak"', '"strong"'])
def test_a_server_without_ranges_sends_it_anew(server, etag):
    """200 where a range was asked for is the whole file."""
    server.etags[PATH] = etag
    server.plays[PATH] = [cut(server, 5000)] + [lambda request: serve(server, request, ranges=False)] * 2
    assert weights.pull(server.url + PATH).read_bytes() == BYTES


def test_what_nothing_tells_apart_begins_anew(server):
    """Without ETag and date nothing is continued; with a date it is; with a known SHA-256, too."""
    server.etags[PATH] = ""
    for date, sha256, continued in [
        ("", None, False),
        ("Sun, 01 Nov 2026 08:00:00 GMT", None, True),
        ("", SHA256, True),
    ]:
        server.date = date
        server.asked.clear()
        server.plays[PATH] = [cut(server, 5000)]
        file = weights.pull(server.url + PATH, sha256=sha256)
        assert file.read_bytes() == BYTES
        assert ("bytes=5000-" in server.ranges(PATH)) == continued
        file.unlink()


def test_a_body_without_a_length_may_end_by_closing(server):
    """Its size is unknown; its SHA-256 is not."""
    server.plays[PATH] = [lambda request: serve(server, request, length=False)]
    assert weights.pull(server.url + PATH, sha256=SHA256).read_bytes() == BYTES


def test_a_part_that_is_already_whole_gets_its_name(server, folder):
    """A process that died between the last byte and the name."""
    server.plays[PATH] = [cut(server, 5000)] + [answer(503, {}, b"")] * 9
    with pytest.raises(Unavailable):
        weights.pull(server.url + PATH)
    (part,) = folder.rglob("*.part")
    part.write_bytes(BYTES)
    server.plays.clear()
    server.asked.clear()
    assert weights.pull(server.url + PATH).read_bytes() == BYTES
    assert server.ranges(PATH) == [None]


def test_a_part_that_is_too_long_is_given_up(server, folder):
    """416, or a size that says so: from the beginning."""
    server.plays[PATH] = [cut(server, 5000)] + [answer(503, {}, b"")] * 9
    with pytest.raises(Unavailable):
        weights.pull(server.url + PATH)
    (part,) = folder.rglob("*.part")
    part.write_bytes(BYTES * 2)
    server.plays[PATH] = [lambda request: serve(server, request, length=False)]
    assert weights.pull(server.url + PATH).read_bytes() == BYTES


@pytest.mark.parametrize(
    ("content", "sha256", "reason"),
    [
        (BYTES, "0" * 64, f"its SHA-256 is {SHA256}, not 000"),
        (b"<!doctype html><p>Log in", None, "begins with b'<!doctype html>"),
        (b"", None, "begins with b''"),
    ],
)
def test_another_file_is_thrown_away(server, folder, content, sha256, reason):
    """A wrong hash, a login page, nothing at all: said once, and nothing stays."""
    server.files[PATH] = content
    with pytest.raises(MalformedResponse, match=reason):
        weights.pull(server.url + PATH, sha256=sha256)
    assert left_in(folder) == []
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "kind", "tries"),
    [
        (404, ModelNotFound, 1),
        (401, AuthFailed, 1),
        (403, AuthFailed, 1),
        (410, ModelError, 1),
        (500, Unavailable, 2),
        (503, Unavailable, 2),
    ],
)
def test_a_server_that_refuses_is_quoted(server, folder, status, kind, tries):
    """One error with status, words and host; only what may pass is tried again; the part survives."""
    server.plays[PATH] = [cut(server, 5000), *[answer(status, {}, b"not for you")] * 9]
    with pytest.raises(kind, match=rf"HTTP {status}: not for you \(from http://127.0.0.1:\d+\)"):
        weights.pull(server.url + PATH)
    assert len(server.asked) == 1 + tries
    assert part_in(folder) == 5000


def test_a_server_that_asks_to_wait_is_obeyed(server):
    """Retry-After is taken from the answer."""
    server.plays[PATH] = [answer(429, {"Retry-After": "1"}, b"")]
    began = time.monotonic()
    assert weights.pull(server.url + PATH).read_bytes() == BYTES
    assert time.monotonic() - began > 0.9


def test_nobody_listening_is_said():
    """A refused connection names the host."""
    with pytest.raises(Unavailable, match=r"cannot connect to http://127.0.0.1:9"):
        weights.pull("http://127.0.0.1:9/a.gguf")


def test_the_hub_is_asked_for_a_file_of_a_repository(server, folder, monkeypatch):
    """The token goes to the hub, and not to the host that it names; the hub's hash is what counts."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret\n")
    with FileServer() as cdn:
        cdn.files["/blob"] = BYTES
        cdn.plays["/blob"] = [cut(cdn, 5000)]
        linked = {"X_Linked_Etag": f'"{SHA256}"', "X_Linked_Size": str(len(BYTES))}
        server.plays[HUB] = [redirect(f"{cdn.url}/blob", **linked) for _ in range(9)]
        file = weights.pull("hf:ann/tiny/q4/tiny.gguf")
        assert file.read_bytes() == BYTES
        assert file == folder / "ann" / "tiny" / "q4" / "tiny.gguf"
        assert {headers.get("authorization") for _, headers in server.asked} == {"Bearer hf_secret"}
        assert {headers.get("authorization") for _, headers in cdn.asked} == {None}
        assert cdn.ranges("/blob") == [None, None, "bytes=5000-"]
        file.unlink()
        cdn.files["/blob"] = OTHER
        with pytest.raises(MalformedResponse, match="SHA-256"):
            weights.pull("hf:ann/tiny/q4/tiny.gguf")


def test_a_refusal_of_the_hub_says_what_to_look_at_and_not_the_token(server, monkeypatch):
    """Servers repeat keys; errors do not."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    server.plays[HUB] = [answer(401, {}, b'{"error": "hf_secret may not read this"}')]
    with pytest.raises(AuthFailed, match="HF_TOKEN") as caught:
        weights.pull("hf:ann/tiny/q4/tiny.gguf")
    assert "hf_secret" not in str(caught.value)


def test_a_token_stays_away_from_plain_urls(server, monkeypatch):
    """It is for hf: alone; a user in a URL is for its host alone."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    weights.pull(server.url + PATH).unlink()
    with FileServer() as other:
        other.files["/b.gguf"] = BYTES
        server.plays[PATH] = [redirect(f"{other.url}/b.gguf")]
        weights.pull(server.url.replace("//", "//ann:p%40ss@") + PATH)
        assert [headers.get("authorization") for _, headers in server.asked] == [None, "Basic YW5uOnBAc3M="]
        assert other.asked[0][1].get("authorization") is None


@pytest.mark.parametrize(
    ("target", "reason"),
    [(PATH, "redirects for ever"), ("ftp://127.0.0.1/x", "refused"), ("file:///etc/passwd", "refused")],
)
def test_redirects_that_lead_nowhere_end(server, target, reason):
    """Circles and other protocols."""
    server.plays[PATH] = [redirect(target)] * 50
    with pytest.raises(MalformedResponse, match=reason):
        weights.pull(server.url + PATH)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "tiny",
        "hf:tiny.gguf",
        "hf:ann/tiny",
        "hf:ann/tiny/",
        "ftp://h/x",
        "http://",
        "https://h",
        "https://h/",
        "http://[/x",
        "/etc/passwd",
        "hf:ann/tiny/..",
    ],
)
def test_a_name_that_is_none_is_told_the_forms(name):
    """Before anything is asked for."""
    with pytest.raises(UsageError, match="hf:owner/repo/file.gguf"):
        weights.pull(name)


@pytest.mark.parametrize(
    "name",
    [
        "hf:ann/tiny/../../../x.gguf",
        "hf:../../x.gguf",
        "https://h/../..%2f..%2fx.gguf",
        "https://h/%2e%2e/%2e%2e/x",
        "https://h/a\\..\\x",
    ],
)
def test_no_name_leads_out_of_the_folder(name, folder):
    """Whatever it says, the file is kept below."""
    assert ".." not in weights.goal_of(name).relative_to(folder).parts


def test_different_files_have_different_names():
    """Of other repositories, hosts, and queries."""
    names = [
        "hf:a/r/m.gguf",
        "hf:b/r/m.gguf",
        "https://h/m.gguf",
        "https://i/m.gguf",
        "https://h/get?id=1",
        "https://h/get?id=2",
    ]
    assert len({weights.goal_of(name) for name in names}) == len(names)
    assert weights.goal_of("https://h/m.gguf?download=true") == weights.goal_of("https://h/m.gguf")


def test_another_file_under_the_name_is_not_overwritten(server):
    """With a SHA-256, what is there is looked at."""
    weights.pull(server.url + PATH)
    with pytest.raises(UsageError, match="remove it first"):
        weights.pull(server.url + PATH, sha256="0" * 64)
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        weights.pull(server.url + PATH, sha256="abc")


def test_a_full_disk_is_said_and_costs_nothing(server, folder):
    """Before the first byte where the size is known; in the middle, what has come is kept."""
    server.plays[PATH] = [answer(200, {"Content-Length": str(2**60)}, b"GGUF")]
    with pytest.raises(UsageError, match=r"do not fit.*AGENTKIT_CACHE|No space.*AGENTKIT_CACHE"):
        weights.pull(server.url + PATH)
    assert left_in(folder) == []


LIMITED = """
import resource, signal, sys
from agentkit.models.local.weights import pull
from agentkit.errors import UsageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    pull(sys.argv[1])
except UsageError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="rlimits")
def test_room_that_ends_in_the_middle_keeps_what_has_come(server, folder):
    """The next pull goes on."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, server.url + PATH], capture_output=True, text=True, timeout=30, check=False
    )
    assert "what has come is kept" in done.stdout
    assert 0 < part_in(folder) <= 100_000
    assert weights.pull(server.url + PATH).read_bytes() == BYTES
    assert server.ranges(PATH)[-1] is not None


def slow(server, at):
    """A play: so many bytes, then silence until the client has gone."""

    def play(request):
        content = server.files[request.path]
        request.send_response(200)
        request.send_header("ETag", server.etag(request.path))
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[:at])
        request.wfile.flush()
        request.connection.recv(1)

    return play


def pulling(url):
    """The command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "agentkit", "models", "pull", url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_part(folder, size):
    deadline = time.monotonic() + 20
    while not any(part.stat().st_size >= size for part in folder.rglob("*.part")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("sign", ["SIGKILL", "SIGINT", "SIGTERM"])
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_pull_goes_on(server, folder, sign):
    """What was there when the process died is not fetched again, and its lock is nobody's."""
    server.plays[PATH] = [slow(server, 150_000)]
    process = pulling(server.url + PATH)
    wait_for_part(folder, 150_000)
    process.send_signal(getattr(signal, sign))
    _, said = process.communicate(timeout=20)
    if sign == "SIGINT":
        assert process.returncode == 130
        assert said.endswith("agentkit: interrupted\n")
    assert part_in(folder) == 150_000
    again = pulling(server.url + PATH)
    printed, said = again.communicate(timeout=30)
    assert (again.returncode, printed.endswith("tiny.gguf\n")) == (0, True), said
    assert server.ranges(PATH) == [None, None, "bytes=150000-"]
    assert left_in(folder) == ["tiny.gguf"]
    assert weights.pull(server.url + PATH).read_bytes() == BYTES


def test_two_pulls_at_once_fetch_it_once(server, folder):
    """The second waits for the first, and finds the file."""
    both = [pulling(server.url + PATH) for _ in "ab"]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0] == outputs[1] != ""
    assert len(server.asked) == 1
    assert left_in(folder) == ["tiny.gguf"]


def test_threads_do_not_disturb_each_other(server, folder):
    """The lock holds within a process, too."""
    threads = [threading.Thread(target=weights.pull, args=(server.url + PATH,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(server.asked) == 1
    assert left_in(folder) == ["tiny.gguf"]


def test_what_was_pulled_is_found_by_name(server):
    """By its file name, with or without the suffix, by more of its path, by the source; a path comes first."""
    file = weights.pull(server.url + PATH)
    for name in ("tiny", "tiny.gguf", "models/tiny", server.url + PATH, str(file), file):
        assert weights.gguf_path(name) == file
        assert Local(name).name == "tiny"
    for name in ("iny", "ny.gguf", "gguf"):
        with pytest.raises(UsageError, match="agentkit models pull"):
            Local(name)


def test_a_name_with_two_meanings_is_asked_back(server):
    """Rather than guessed."""
    server.files["/other/tiny.gguf"] = OTHER
    for path in (PATH, "/other/tiny.gguf"):
        weights.pull(server.url + path)
    with pytest.raises(UsageError, match="may be any of"):
        Local("tiny")
    assert weights.gguf_path("other/tiny").read_bytes() == OTHER


def test_a_missing_model_names_the_command():
    """Whether it looks like a path or like a name."""
    for name in ("nowhere.gguf", "qwen2.5-0.5b", "hf:ann/tiny/tiny.gguf", "https://h/m.gguf"):
        with pytest.raises(UsageError, match="agentkit models pull"):
            Local(name)


def test_the_list_says_what_is_there(server, folder):
    """Names that Local takes, with their sizes."""
    env = {**os.environ}
    command = [sys.executable, "-m", "agentkit", "models"]
    empty = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, env=env)
    assert "none in" in empty.stdout
    weights.pull(server.url + PATH)
    listed = subprocess.run([*command, "list"], capture_output=True, text=True, timeout=30, check=True, env=env)
    assert "0.3 MB" in listed.stdout
    assert "\n1 model file in " in listed.stdout
    (name,) = [line.split()[-1] for line in listed.stdout.splitlines() if line.endswith(".gguf")]
    assert Local(name).name == "tiny"


def test_the_command_says_what_is_wrong_in_one_line(server):
    """A wrong name is the caller's mistake (2); a server that refuses is not (1)."""
    for name, code, said in [
        ("tiny", 2, "hf:owner/repo/file.gguf"),
        (f"{server.url}/no.gguf", 1, "HTTP 404: Entry not found"),
    ]:
        process = pulling(name)
        printed, complaint = process.communicate(timeout=20)
        assert (process.returncode, printed, complaint.count("\n")) == (code, "", 1)
        assert said in complaint


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_and_others_a_line():
    """The bar is drawn in place and ends whole; elsewhere it is a line now and then; both know no size, too."""
    for size, shown in [(2_000_000, "[###############...............]  1.0 of 2.0 MB"), (None, "1.0 MB")]:
        terminal, log = Terminal(), io.StringIO()
        for out in (terminal, log):
            with Progress("tiny", out) as show:
                show(1_000_000, size)
                show(2_000_000, size)
        assert terminal.getvalue().startswith(f"\rtiny  {shown}")
        assert terminal.getvalue().count("\n") == 1
        assert f"{'#' * 30}]  2.0 of 2.0 MB" in terminal.getvalue() or size is None
        assert log.getvalue() == f"tiny  1.0 {'of 2.0 ' if size else ''}MB\n"
    with Progress("nothing", Terminal()) as show:
        assert show._out.getvalue() == ""
