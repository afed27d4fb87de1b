"""The conditions of a check, judged on what its probe saw."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.model import Certificate, Observation
from tocsin.core.policy import Judged
from tocsin.expressions import compile_probe, compile_tcp

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ABSENT = object()


def now() -> datetime:
    return NOW


def answer(
    value: Any = ABSENT, *, body: bytes = b"", status: int = 200, latency: float = 0.1, **more: Any
) -> Observation:
    content = body if value is ABSENT else json.dumps(value).encode()
    return Observation(latency, status=status, body=content, **more)


def expecting(*conditions: str, observation: Observation) -> str | None:
    return compile_probe(conditions, [], {}, False, now=now)(observation).failed


def degrading(*conditions: str, observation: Observation) -> str | None:
    return compile_probe([], conditions, {}, False, now=now)(observation).degraded


def keeping(values: dict[str, str], observation: Observation) -> dict[str, Any]:
    return dict(compile_probe([], [], values, False, now=now)(observation).values)


# --- the defaults -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "is_good"), [(199, False), (200, True), (204, True), (299, True), (300, False), (503, False)]
)
def test_the_default_expects_a_status_of_2xx(status: int, is_good: bool) -> None:
    judged = compile_probe([], [], {}, False)(answer(status=status))
    if is_good:
        assert judged == Judged()
    else:
        text = f"status >= 200 && status < 300 (status = {status})"
        assert judged == Judged(failed=text, is_default_status=True)


def test_the_default_holds_beside_conditions_that_do_not_read_status() -> None:
    judge = compile_probe(["json.ok"], [], {"n": "json.n"}, False)
    judged = judge(answer({"ok": True, "n": 3}, status=500))
    assert judged.is_default_status
    assert judged.failed == "status >= 200 && status < 300 (status = 500)"
    assert judged.values == {"n": 3.0}


def test_a_condition_on_status_takes_the_place_of_the_default() -> None:
    judge = compile_probe(["status == 401"], [], {}, False)
    assert judge(answer(status=401)) == Judged()
    assert judge(answer(status=200)) == Judged(failed="status == 401 (status = 200)")


def test_a_status_inside_json_is_not_the_status() -> None:
    judged = compile_probe(['json.status == "UP"'], [], {}, False)(answer({"status": "UP"}, status=500))
    assert judged.is_default_status


def certificate(left: timedelta) -> Certificate:
    return Certificate(NOW + left, "CN=Test")


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (timedelta(days=14), None),
        (timedelta(days=13, hours=23), "the certificate expires within 14d (certificate.expires_in = 13d23h)"),
        (timedelta(hours=-2), "the certificate expires within 14d (certificate.expires_in = -2h)"),
    ],
)
def test_an_https_check_is_degraded_when_its_certificate_ends_soon(left: timedelta, text: str | None) -> None:
    judge = compile_probe([], [], {}, True, now=now)
    assert judge(answer(certificate=certificate(left))) == Judged(degraded=text)


def test_a_condition_on_the_certificate_takes_the_place_of_the_default() -> None:
    judge = compile_probe([], ['certificate.expires_in < duration("48h")'], {}, True, now=now)
    assert judge(answer(certificate=certificate(timedelta(days=3)))) == Judged()
    assert judge(answer(certificate=certificate(timedelta(days=1)))).degraded == (
        'certificate.expires_in < duration("48h") (certificate.expires_in = 1d)'
    )


def test_other_conditions_leave_the_certificate_to_the_default() -> None:
    judge = compile_probe([], ['latency > duration("1s")'], {}, True, now=now)
    assert judge(answer(certificate=certificate(timedelta(days=3)))).degraded is not None


def test_the_defaults_need_neither_cel_nor_the_body() -> None:
    program = (
        "import sys\n"
        "from tocsin.core.model import Observation\n"
        "from tocsin.expressions import compile_probe\n"
        "judge = compile_probe([], [], {}, True)\n"
        "assert not judge.needs_body\n"
        "assert judge(Observation(0.1, status=503)).failed\n"
        "assert judge(Observation(0.1, status=200)).failed is None\n"
        "assert not [name for name in sys.modules if name.startswith('cel_expr')]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    ("expect", "degraded_when", "values", "expected"),
    [
        ([], [], {}, False),
        (["status == 200"], ['latency > duration("1s")'], {"s": "status"}, False),
        (['json.status == "UP"'], [], {}, True),
        ([], ['body.contains("error")'], {}, True),
        ([], [], {"n": "json.n"}, True),
    ],
)
def test_the_body_is_asked_for_only_when_a_condition_reads_it(
    expect: list[str], degraded_when: list[str], values: dict[str, str], expected: bool
) -> None:
    assert compile_probe(expect, degraded_when, values, False).needs_body is expected


# --- what people read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "observation", "expected"),
    [
        ('json.status == "UP"', answer({"status": "DOWN"}), 'json.status == "UP" (json.status = "DOWN")'),
        ("json.n > 2.0", answer({"n": 2}), "json.n > 2.0 (json.n = 2)"),
        ("json.n > 2.0", answer({"n": 0.25}), "json.n > 2.0 (json.n = 0.25)"),
        ("json.n == null", answer({"n": True}), "json.n == null (json.n = true)"),
        ("json.n == true", answer({"n": None}), "json.n == true (json.n = null)"),
        ("json == 1.0", answer({"a": 1, "b": 2}), "json == 1.0 (json = an object of 2 keys)"),
        ("size(json.l) > 3", answer({"l": [1, 2]}), "size(json.l) > 3 (json.l = a list of 2)"),
        (
            'json.l[1]["a b"].c == 1.0',
            answer({"l": [0, {"a b": {"c": 7}}]}),
            'json.l[1]["a b"].c == 1.0 (json.l[1]["a b"].c = 7)',
        ),
        ("has(json.x)", answer({}), "has(json.x) (json.x is absent)"),
        ("json.?x.orValue(0.0) > 1.0", answer({}), "json.?x.orValue(0.0) > 1.0 (json.x is absent)"),
        ("status == 200 && json.ok", answer({"ok": False}), "status == 200 && json.ok (status = 200, json.ok = false)"),
        ("json.a == json.a + 1.0", answer({"a": 1}), "json.a == json.a + 1.0 (json.a = 1)"),
        ('headers["x-a"] == "1"', answer({}, headers={"x-a": "2"}), 'headers["x-a"] == "1" (headers["x-a"] = "2")'),
        ('http_version == "2"', answer({}, http_version="1.1"), 'http_version == "2" (http_version = "1.1")'),
        ('url.endsWith("/a")', answer({}, url="http://h/b"), 'url.endsWith("/a") (url = "http://h/b")'),
        ("1 == 2", answer({}), "1 == 2"),
    ],
)
def test_the_text_holds_the_condition_with_its_values(condition: str, observation: Observation, expected: str) -> None:
    assert expecting(condition, observation=observation) == expected


@pytest.mark.parametrize(
    ("latency", "shown"), [(0.8501, "850ms"), (1.2, "1.2s"), (59.94, "59.9s"), (200, "3m20s"), (0.0004, "0ms")]
)
def test_a_latency_reads_as_people_write_it(latency: float, shown: str) -> None:
    text = degrading('latency >= duration("0s")', observation=answer(latency=latency))
    assert text == f'latency >= duration("0s") (latency = {shown})'


def test_the_first_condition_that_fails_is_told() -> None:
    text = expecting("json.a == 1.0", "json.b == 1.0", "json.c == 1.0", observation=answer({"a": 1, "b": 2, "c": 3}))
    assert text == "json.b == 1.0 (json.b = 2)"


def test_a_long_value_is_cut_and_control_characters_are_blanks() -> None:
    value = "\x1b[31m" + "x" * 1000 + "\n"
    text = expecting('json.s == "UP"', observation=answer({"s": value}))
    assert text == f'json.s == "UP" (json.s = " [31m{"x" * 115}…")'


def test_nothing_that_a_terminal_or_chat_obeys_comes_through() -> None:
    text = expecting('json.s == "UP"', observation=answer({"s": "a\u202eb\u2028c\x00d\x9be"}))
    assert text == 'json.s == "UP" (json.s = "a b c\ufffdd e")'


# --- what cannot be judged ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "observation", "because"),
    [
        ('json.status == "UP"', answer({"state": "UP"}), 'key "status" is not in the answer'),
        ('json.a.b == "UP"', answer({"a": {}}), 'key "b" is not in the answer'),
        ('json.status == "UP"', answer(body=b"<html>"), "the body is not JSON"),
        ('json.status == "UP"', answer(body=b""), "the body is empty"),
        ('json.status == "UP"', answer(body=b" \n"), "the body is empty"),
        ('json.status == "UP"', answer(body=b"[" * 100_000), "the body is nested too deeply"),
        ("json.n > 1.0", answer(body=b'{"n": NaN}'), "the body is not JSON"),
        ("json.n > 1.0", answer(body=b'{"n": Infinity}'), "the body is not JSON"),
        ("json.n > 1.0", answer(body=b'{"n": 1}}'), "the body is not JSON"),
        ('json.status == "UP"', answer("UP"), 'json is "UP" and has no keys'),
        ('json.status == "UP"', answer(None), "json is null and has no keys"),
        ('json.status == "UP"', answer([1]), "json is a list of 1 and has no keys"),
        ('json.a.b == "UP"', answer({"a": "x"}), 'json.a is "x" and has no keys'),
        ("json.n > 1.0", answer({"n": "2"}), "> cannot be applied to a text and a number"),
        ("json.n > 1.0", answer({"n": None}), "> cannot be applied to null and a number"),
        ("json.l[3] == 1.0", answer({"l": [1, 2]}), "there is no element 3 in a list of 2"),
        ("json.ok", answer({"ok": "yes"}), 'it is "yes", neither true nor false'),
        ("json.ok", answer({"ok": 1}), "it is 1, neither true nor false"),
        ('headers["x"] == "1"', answer({}), 'key "x" is not in the answer'),
        ('certificate.expires_in > duration("1h")', answer({}), "there is no certificate"),
        ('certificate.issuer == "x"', answer({}), "there is no certificate"),
        (
            "json.l.all(a, json.l.all(b, json.l.all(c, a + b + c > 0.0)))",
            answer({"l": [1] * 300}),
            "it takes too many steps",
        ),
    ],
)
def test_a_condition_that_cannot_be_judged_is_bad_and_says_why(
    condition: str, observation: Observation, because: str
) -> None:
    text = f"{condition} cannot be judged: {because}"
    assert expecting(condition, observation=observation) == text
    assert degrading(condition, observation=observation) == text


def test_a_condition_that_ends_early_does_not_ask_for_the_rest() -> None:
    assert expecting('!has(json.error) || json.error == ""', observation=answer({})) is None


# --- values -------------------------------------------------------------------------------------------------------------


def test_values_are_numbers_texts_and_truths() -> None:
    values = {"n": "json.n", "s": "json.s", "b": "json.b", "code": "status", "took": "latency", "size": "size(json.l)"}
    found = keeping(values, answer({"n": 7, "s": "7.1", "b": True, "l": [1, 2]}, latency=0.25))
    assert found == {"n": 7.0, "s": "7.1", "b": True, "code": 200.0, "took": 0.25, "size": 2.0}
    assert found["b"] is True


@pytest.mark.parametrize("value", [None, [1], {"a": 1}])
def test_what_is_no_value_is_absent(value: Any) -> None:
    assert keeping({"v": "json.v", "w": "json.w"}, answer({"v": value, "w": 1})) == {"w": 1.0}


def test_what_cannot_be_judged_is_absent() -> None:
    assert keeping({"v": "json.v", "code": "status"}, answer(body=b"<html>")) == {"code": 200.0}


def test_a_number_beyond_all_numbers_is_absent() -> None:
    assert keeping({"v": "json.v", "w": "json.w / 0.0"}, answer(body=b'{"v": 1e999, "w": 1}')) == {}


def test_a_whole_number_beyond_64_bits_spoils_nothing() -> None:
    observation = answer({"id": 2**70, "n": 1})
    assert expecting("json.n == 1.0", "json.id > 1.0", observation=observation) is None
    assert keeping({"n": "json.n", "id": "json.id"}, observation) == {"n": 1.0, "id": float(2**70)}


def test_values_come_with_failures_too() -> None:
    judged = compile_probe(["json.ok"], [], {"n": "json.n"}, False)(answer({"ok": False, "n": 5}))
    assert (judged.failed, judged.values) == ("json.ok (json.ok = false)", {"n": 5.0})


def test_a_kept_text_is_cut() -> None:
    assert keeping({"v": "json.v"}, answer({"v": "x" * 500})) == {"v": "x" * 120 + "…"}


# --- bodies ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        ('{"s": "中文"}'.encode(), "utf-8"),
        ('{"s": "中文"}'.encode(), "UTF8"),
        ('{"s": "中文"}'.encode("utf-8-sig"), "utf-8"),
        ('{"s": "中文"}'.encode("utf-16"), "utf-8"),
        ('{"s": "中文"}'.encode("gbk"), "gbk"),
        ('{"s": "中文"}'.encode(), "no-such-charset"),
        ('{"s": "中文"}'.encode(), "idna"),
        ('{"s": "中文"}'.encode(), "hex"),
        (rb'{"s": "\u4e2d\u6587"}', "utf-8"),
    ],
)
def test_json_is_read_in_the_character_set_of_the_answer(body: bytes, charset: str) -> None:
    assert expecting('json.s == "中文"', observation=answer(body=body, charset=charset)) is None


def test_a_body_in_no_character_set_can_still_be_searched() -> None:
    observation = answer(body=b"\xff\x00 status=ok \x00 end")
    assert expecting('body.contains("status=ok") && body.endsWith("end")', observation=observation) is None


def test_characters_that_cel_cannot_hold_are_replaced() -> None:
    observation = answer(body=rb'{"a\u0000b": 1, "s": "x\u0000y", "t": "\ud800", "ok": true}')
    assert expecting("json.ok", 'json.s == "x\ufffdy"', 'json.t == "?"', observation=observation) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.just("status"), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_json_makes_a_judge_raise(value: Any) -> None:
    judge = compile_probe(['json.status == "UP"'], ["json.?n.orValue(0.0) > 1.0"], {"v": "json.status"}, False)
    judged = judge(answer(value))
    assert (judged.failed is None) == (isinstance(value, dict) and value.get("status") == "UP")


@given(st.binary(max_size=200), st.sampled_from(["utf-8", "gbk", "utf-16", "shift_jis", "x"]))
def test_no_bytes_make_a_judge_raise(body: bytes, charset: str) -> None:
    judge = compile_probe(["json.ok"], ['body.matches("a.*b")'], {"v": "body"}, False)
    assert judge(answer(body=body, charset=charset)).failed is not None


# --- tcp ------------------------------------------------------------------------------------------------------------------


def test_a_tcp_check_is_good_when_it_answered() -> None:
    assert compile_tcp([])(Observation(0.1)) == Judged()


def test_a_tcp_check_is_degraded_when_it_was_slow() -> None:
    judged = compile_tcp(['latency > duration("500ms")'])(Observation(0.75))
    assert judged == Judged(degraded='latency > duration("500ms") (latency = 750ms)')
