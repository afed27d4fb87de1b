"""From an entry under `checks:` to a check that can be probed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from tocsin.config.context import Context, digest, trace
from tocsin.config.document import Path
from tocsin.config.later import KINDS
from tocsin.config.scalars import Fresh, SecretName
from tocsin.config.schema import (
    CHECKS,
    CommonOptions,
    HttpCheck,
    HttpOptions,
    TcpCheck,
    TlsRule,
    check_header_value,
    kinds_in,
)
from tocsin.config.spans import show_span
from tocsin.config.words import suggestion
from tocsin.core.policy import Check, HttpTarget, Judge, Target, TcpTarget, Threshold, Tls
from tocsin.expressions import (
    ExpressionError,
    check_condition,
    check_regex,
    check_tcp_condition,
    check_value,
    compile_probe,
    compile_tcp,
)

BUILT_IN: Mapping[str, Any] = {
    "every": timedelta(seconds=30),
    "timeout": timedelta(seconds=5),
    "fail_after": Threshold(3, 3),
    "recover_after": 2,
    "redirects": 10,
    "max_body": 1024 * 1024,
    "fresh": Fresh(timedelta(minutes=5)),
    "compression": True,
    "ip": "any",
}

STAND_IN = {"http": {"http": "http://host.invalid"}, "tcp": {"tcp": "host.invalid:1"}}
"""Takes the place of an address that is wrong, so that the rest of the check is looked at."""


class CheckBuilder:
    """Builds the checks of one configuration: they share its defaults."""

    def __init__(self, context: Context, defaults: HttpOptions) -> None:
        self._context = context
        self._findings = context.findings
        self._defaults = defaults

    def build(self, system: str, name: str, raw: Any, path: Path) -> Check | None:
        """Return the check, None when something is wrong with it: then it was noted what."""
        if not isinstance(raw, dict):
            self._findings.error(path, f"{name} must be a mapping with its kind, as {{http: https://…}}")
            return None
        kinds = kinds_in(raw, CHECKS)
        if len(kinds) != 1:
            self._no_kind(raw, kinds, path)
            return None
        rule = self._findings.validated(CHECKS[kinds[0]], raw, path, stand_in=STAND_IN[kinds[0]])
        match rule:
            case HttpCheck():
                return self._http(system, name, rule, raw, path)
            case TcpCheck():
                return self._tcp(system, name, rule, raw, path)
            case _:
                return None

    def _no_kind(self, raw: dict[str, Any], kinds: Sequence[str], path: Path) -> None:
        if path in self._findings.refused and not kinds:
            return
        if len(kinds) > 1:
            self._findings.error(
                (*path, kinds[1]), f"a check has one kind, this has {' and '.join(kinds)}", at_key=True
            )
        elif isinstance(raw.get("tls"), str):
            self._findings.error(
                (*path, "tls"), "a check of kind tls is not in this version (http or tcp)", at_key=True
            )
        else:
            unknown = [key for key in raw if key not in HttpCheck.model_fields and key not in TcpCheck.model_fields]
            advice = suggestion(unknown[0], [*CHECKS, *KINDS], fallback="") if unknown else ""
            self._findings.error(path, f"the kind is missing: http: https://… or tcp: host:port{advice}", at_key=True)

    def _http(self, system: str, name: str, rule: HttpCheck, raw: dict[str, Any], path: Path) -> Check | None:
        target, traces = self._http_target(rule, path)
        judge = self._http_judge(rule, path)
        if target is None or judge is None:
            return None
        return self._check(system, name, "http", target, judge, rule, (raw, traces), tuple(rule.values), path)

    def _tcp(self, system: str, name: str, rule: TcpCheck, raw: dict[str, Any], path: Path) -> Check | None:
        tls, traces = self._tls(rule.tls, path)
        send = self._context.resolved(rule.send, (*path, "send"))
        if rule.expect is not None:
            self._regex(rule.expect, (*path, "expect"))
        if not self._conditions(rule.degraded_when, (*path, "degraded_when"), check_tcp_condition):
            return None
        target = TcpTarget(rule.tcp.host, rule.tcp.port, send.encode(), rule.expect, tls if rule.tls else None)
        judge = compile_tcp(rule.degraded_when, now=self._context.now)
        return self._check(system, name, "tcp", target, judge, rule, (raw, [*traces, trace(send)]), (), path)

    def _check(
        self,
        system: str,
        name: str,
        kind: str,
        target: Target,
        judge: Judge,
        rule: CommonOptions,
        meant: tuple[dict[str, Any], list[str]],
        values: tuple[str, ...],
        path: Path,
    ) -> Check:
        every: timedelta = self._option(rule, "every")
        confirm_every = self._confirm_every(rule, every, path)
        options = {
            option: self._option(rule, option)
            for option in BUILT_IN
            if kind == "http" or option in CommonOptions.model_fields
        }
        return Check(
            system=system,
            name=name,
            kind=kind,
            target=target,
            judge=judge,
            every=every,
            timeout=self._option(rule, "timeout"),
            fail_after=self._option(rule, "fail_after"),
            recover_after=self._option(rule, "recover_after"),
            confirm_every=confirm_every,
            values=values,
            version=digest([system, name, meant, options, confirm_every]),
        )

    def _option(self, rule: CommonOptions, name: str) -> Any:
        """What the check says, else `defaults.check`, else what is built in."""
        own, default = getattr(rule, name), getattr(self._defaults, name)
        return own if own is not None else default if default is not None else BUILT_IN[name]

    def _confirm_every(self, rule: CommonOptions, every: timedelta, path: Path) -> timedelta:
        if rule.confirm_every is None:
            wanted = self._defaults.confirm_every or max(every / 3, timedelta(seconds=1))
            return min(wanted, every)
        if rule.confirm_every > every:
            self._findings.error((*path, "confirm_every"), f"confirm_every is longer than every ({show_span(every)})")
        return rule.confirm_every

    def _http_target(self, rule: HttpCheck, path: Path) -> tuple[HttpTarget | None, list[str]]:
        headers = [(name, self._header(name, value, path)) for name, value in rule.headers.items()]
        body = self._context.resolved(rule.body, (*path, "body"))
        basic = self._basic(rule, path)
        proxy = self._context.resolved(rule.proxy, (*path, "proxy")) or None
        tls, traces = self._tls(rule.tls, path)
        if basic and any(name.lower() == "authorization" for name, _ in headers):
            self._findings.error((*path, "basic"), "basic and a header Authorization exclude each other", at_key=True)
        if rule.tls and rule.http.lower().startswith("http:"):
            self._findings.warn((*path, "tls"), "tls is set, but the address is http:// and not https://", at_key=True)
        fresh: Fresh = self._option(rule, "fresh")
        target = HttpTarget(
            url=rule.http,
            method=rule.method,
            headers=tuple(headers),
            body=body.encode(),
            basic=basic,
            redirects=self._option(rule, "redirects"),
            tls=tls,
            proxy=proxy,
            ip=self._option(rule, "ip"),
            max_body=self._option(rule, "max_body"),
            compression=self._option(rule, "compression"),
            fresh=fresh.age,
        )
        hidden = [*(value for _, value in headers), body, *(basic or ()), proxy or ""]
        return target, [*traces, *map(trace, hidden)]

    def _header(self, name: str, value: SecretName | str, path: Path) -> str:
        where = (*path, "headers", name)
        text = self._context.resolved(value, where)
        if isinstance(value, SecretName):
            try:
                check_header_value(text)
            except ValueError as error:
                self._findings.error(where, f'secret "{value.name}" {error}')
        return text

    def _basic(self, rule: HttpCheck, path: Path) -> tuple[str, str] | None:
        if rule.basic is None:
            return None
        user = self._context.resolved(rule.basic.user, (*path, "basic", "user"))
        password = self._context.resolved(rule.basic.password, (*path, "basic", "password"))
        if ":" in user:
            self._findings.error((*path, "basic", "user"), "a user's name holds no colon here (RFC 7617)")
        return user, password

    def _tls(self, rule: TlsRule | None, path: Path) -> tuple[Tls, list[str]]:
        if rule is None:
            return Tls(), []
        ca, ca_digest = self._context.file(rule.ca, (*path, "tls", "ca"))
        cert, cert_digest = self._context.file(rule.cert, (*path, "tls", "cert"))
        key, key_digest = self._context.file(rule.key, (*path, "tls", "key"))
        tls = Tls(ca, cert, key, rule.server_name, rule.verify)
        return tls, [ca_digest, cert_digest, key_digest[:4]]

    def _http_judge(self, rule: HttpCheck, path: Path) -> Judge | None:
        values_path = (*path, "values")
        good = self._conditions(rule.expect, (*path, "expect"), check_condition)
        good = self._conditions(rule.degraded_when, (*path, "degraded_when"), check_condition) and good
        for name, text in rule.values.items():
            good = self._is_sound(text, (*values_path, name), check_value) and good
        if not good:
            return None
        https = rule.http.lower().startswith("https:")
        return compile_probe(rule.expect, rule.degraded_when, rule.values, https, now=self._context.now)

    def _conditions(self, texts: Sequence[str], path: Path, check: Callable[[str], None]) -> bool:
        sound = [self._is_sound(text, (*path, at), check) for at, text in enumerate(texts)]
        return all(sound)

    def _is_sound(self, text: str, path: Path, check: Callable[[str], None]) -> bool:
        try:
            check(text)
        except ExpressionError as error:
            self._findings.expression(path, text, error)
            return False
        return True

    def _regex(self, pattern: str, path: Path) -> None:
        try:
            check_regex(pattern)
            re.compile(pattern.encode())
        except ExpressionError as error:
            self._findings.error(path, error.message)
        except re.error as error:
            self._findings.error(path, f"invalid regular expression: {error}")
