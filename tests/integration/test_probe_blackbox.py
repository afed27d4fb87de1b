"""The cases of prometheus/blackbox_exporter's own HTTP prober tests, asked of both clients; see the note in the data file."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from probe_parts import CLIENTS, Authority, authority, prober, run, sample, self_signed, serving
from tocsin.config.addresses import parse_url
from tocsin.core.model import Reason, Sample, Status
from tocsin.core.policy import Check, HttpTarget, Tls
from tocsin.expressions import compile_probe
from tocsin.testing.servers import ScriptedServer, Visit

DATA = json.loads((Path(__file__).parents[1] / "data" / "blackbox_http_cases.json").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = DATA["cases"]

DEVIATIONS = {
    (
        "TestHandlingOfCompressionSetting",
        "encoding mismatch",
    ): "gzip and deflate are both unpacked whichever was asked for",
    ("TestHTTPParsingScheme", "missing scheme"): "an address without its scheme is refused when the rules are read",
}
"""Where Tocsin says something else on purpose; docs/probes.md says the same."""

PLAIN = "x" * 110
REGEXES = ("fail_if_body_matches_regexp", "fail_if_body_not_matches_regexp")
CELS = ("fail_if_body_matches_cel", "fail_if_body_not_matches_cel")
HEADERS = ("fail_if_header_matches", "fail_if_header_not_matches")


def named(case: dict[str, Any]) -> str:
    return f"{case['test']}: {case['name']}"


# --- blackbox_exporter's configuration as Tocsin's ---


def conditions(case: dict[str, Any]) -> list[str]:
    config = case["config"]
    found = [_status(config), _version(config), *_regexes(config), *_cels(config), *_headers(config), _length(case)]
    if config.get("fail_if_not_ssl"):
        found.append('url.startsWith("https://")')
    return [condition for condition in found if condition]


def _status(config: dict[str, Any]) -> str:
    codes = config.get("valid_status_codes")
    return f"status in {codes}" if codes else ""


def _version(config: dict[str, Any]) -> str:
    versions = [version.removeprefix("HTTP/") for version in config.get("valid_http_versions") or []]
    return f"http_version in {json.dumps(versions)}" if versions else ""


def _regexes(config: dict[str, Any]) -> list[str]:
    bad, good = (config.get(key, []) for key in REGEXES)
    return [f"!body.matches({json.dumps(r)})" for r in bad] + [f"body.matches({json.dumps(r)})" for r in good]


def _cels(config: dict[str, Any]) -> list[str]:
    """Its `body` is our `json`."""
    bad, good = (config.get(key, "").replace("body", "json").replace("'", '"') for key in CELS)
    return [f"!({bad})" if bad else "", good]


def _headers(config: dict[str, Any]) -> list[str]:
    found = []
    for key in HEADERS:
        if rule := config.get(key):
            name = json.dumps(rule["header"].lower())
            matches = f"headers[{name}].matches({json.dumps(rule['regexp'])})"
            wanted = matches if key == "fail_if_header_not_matches" else f"!{matches}"
            found.append(f"!({name} in headers) || {wanted}" if rule["allow_missing"] else wanted)
    return found


def _length(case: dict[str, Any]) -> str:
    """What it counts as the uncompressed length is the length of our body."""
    length = case.get("metrics", {}).get("uncompressed")
    if length == "compressed":
        return f"size(body) != {case['server']['plain_len']}"
    is_unpacked = isinstance(length, int) and case["probe_success"] and case["config"].get("compression") != "br"
    has_limit = "body_size_limit" in case["config"]
    return f"size(body) == {length}" if is_unpacked else "size(body) >= 0" if has_limit else ""


def target(case: dict[str, Any], url: str, folder: Path) -> HttpTarget:
    config = case["config"]
    headers = list(config.get("headers", {}).items())
    if accepted := config.get("accept_encoding"):
        headers.append(("Accept-Encoding", accepted))
    if token := config.get("bearer_token"):
        headers.append(("Authorization", f"Bearer {token}"))
    return HttpTarget(
        parse_url(url),
        method=config.get("method", "GET"),
        headers=tuple(headers),
        body=config.get("body", "").encode(),
        basic=tuple(config["basic_auth"]) if "basic_auth" in config else None,
        redirects=10 if config.get("follow_redirects", True) else 0,
        tls=Tls(
            ca=str(folder / "ca.pem") if "ca_file" in config else None,
            # Its test of schemes has no certificate that could be verified.
            verify=not config.get("insecure_skip_verify", case["test"] == "TestHTTPParsingScheme"),
        ),
        max_body=config.get("body_size_limit", 1 << 20),
        compression=case.get("metrics", {}).get("uncompressed") != "compressed",
    )


# --- its servers ---


def script(server: dict[str, Any]) -> Callable[[Visit], Any]:
    async def answer(visit: Visit) -> None:
        if server.get("close") == "immediately":
            visit.close()
        elif server.get("redirect"):
            await redirect(visit, server)
        elif server.get("require_method", visit.request.method) != visit.request.method:
            await visit.answer(405)
        elif server.get("echo_body", "") != visit.request.body.decode():
            await visit.answer(400)
        else:
            body = packed(server)
            coding = [("Content-Encoding", server["content_encoding"])] if server.get("content_encoding") else []
            await visit.answer(server.get("status", 200), body, [*server.get("headers", []), *coding])

    return answer


async def redirect(visit: Visit, server: dict[str, Any]) -> None:
    at = int(visit.request.path.rpartition("-")[2] or 0) if "-" in visit.request.path else 0
    if server["redirect"] == "endless":
        await visit.answer(302, b"", [("Location", f"/redirect-{at + 1}")])
    elif visit.request.path == "/noredirect":
        has_cookie = visit.request.headers.get("cookie", "") == server.get("set_cookie", "")
        await visit.answer(200 if has_cookie else 403)
    else:
        cookies = [("Set-Cookie", server["set_cookie"])] if "set_cookie" in server else []
        await visit.answer(302, b"", [("Location", "/noredirect"), *cookies])


def packed(server: dict[str, Any]) -> bytes:
    if "body" in server:
        return str(server["body"]).encode()
    plain = PLAIN.encode().ljust(server.get("plain_len", server.get("body_len", 0)), b"x")
    plain = plain[: server.get("plain_len", server.get("body_len", 0))]
    match server.get("content_encoding"):
        case "gzip":
            return gzip.compress(plain)
        case "deflate":
            return zlib.compress(plain)
        case "br":
            # A brotli stream of one uncompressed block (RFC 7932), since nothing here needs to unpack it.
            return b"\x0b\x36\x80" + plain + b"\x03"
        case _:
            return plain


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("blackbox")


@pytest.fixture(scope="module")
def ca(folder: Path) -> Authority:
    made = authority(folder)
    made.path.rename(folder / "ca.pem")
    return made


def serving_for(case: dict[str, Any], ca: Authority) -> Any:
    kind = case["server"].get("tls") or ("plain" if case["server"].get("target", "").lower() == "https://h" else None)
    match kind:
        case "self-signed" | "plain":
            return self_signed(ca.folder, "127.0.0.1")
        case "custom CA":
            return serving(ca.issue("localhost"))
        case _:
            return None


def address(case: dict[str, Any], server: ScriptedServer) -> str:
    """A target like HtTpS://H, with H for host and port."""
    wanted = str(case["server"].get("target", ""))
    url = server.url(host="localhost" if case["server"].get("tls") == "custom CA" else None)
    return wanted.removesuffix("H") + url.partition("://")[2] if wanted else url


def probed(client: str, case: dict[str, Any], ca: Authority) -> tuple[Sample, ScriptedServer]:
    async def work() -> tuple[Sample, ScriptedServer]:
        async with ScriptedServer(script(case["server"]), tls=serving_for(case, ca)) as server, prober(client) as one:
            where = target(case, address(case, server), ca.folder)
            compiled = compile_probe(conditions(case), [], {}, https=False)
            return await sample(one, Check("erp", "health", "http", where, compiled)), server

    return run(client, work)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_verdict_is_that_of_blackbox_exporter(client: str, case: dict[str, Any], ca: Authority) -> None:
    expected = case["probe_success"] is not ((case["test"], case["name"]) in DEVIATIONS)
    try:
        seen, server = probed(client, case, ca)
    except ValueError:
        # Refused when the rules are read.
        assert case["test"] == "TestHTTPParsingScheme"
        assert not expected
        return
    assert (seen.status is Status.UP) is expected, seen
    match case["test"]:
        case "TestRedirectionLimit":
            assert "/redirect-12" not in [request.path for request in server.requests]
        case "TestFailIfNotSSLLogMsg":
            assert seen.reason is Reason.RESET
        case "TestHTTPPhases":
            assert None not in seen.phases.as_dict().values()
        case "TestHTTPHeaders":
            sent = case["config"]["headers"]
            assert {name: server.requests[0].headers[name.lower()] for name in sent} == sent


def test_each_deviation_is_a_case_and_is_documented() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "probes.md").read_text(encoding="utf-8")
    assert set(DEVIATIONS) <= {(case["test"], case["name"]) for case in CASES}
    for _, name in DEVIATIONS:
        assert f"`{name}`" in documented
