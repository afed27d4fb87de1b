"""Settings: where they are found, what lies over what, what they mean."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.config import load_settings
from tocsin.config.locate import SYSTEM_SOCKET, settings_file, socket_candidates
from tocsin.config.secrets import MissingSecret, Secrets
from tocsin.config.settings import Settings
from tocsin.config.zones import local_zone


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    path = folder / "etc" / "tocsin.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environ or {})


def test_without_a_file_the_defaults_start_at_the_working_directory(folder: Path) -> None:
    settings = load_settings(None, {})
    assert settings.database == f"sqlite:///{folder}/var/tocsin.db"
    assert settings.data_dir == folder / "var"
    assert settings.socket == folder / "var" / "tocsin.sock"
    assert settings.rules == [folder / "rules"]
    assert settings.listen == ("127.0.0.1", 8600)
    assert (settings.language, settings.metrics_listen, settings.public_url) == ("en", None, None)
    assert (settings.blind_after, settings.reopen_within) == (timedelta(minutes=2), timedelta(minutes=15))
    assert settings.slack.api_url == "https://slack.com/api/"


def test_relative_paths_start_at_the_folder_of_the_file(folder: Path) -> None:
    settings = written(folder, "database: sqlite:///db/t.db\ndata_dir: data\nsocket: run/s\nrules: [a, /b]\n")
    assert settings.database == f"sqlite:///{folder}/etc/db/t.db"
    assert settings.data_dir == folder / "etc" / "data"
    assert settings.socket == folder / "etc" / "run" / "s"
    assert settings.rules == [folder / "etc" / "a", Path("/b")]
    assert settings.base == folder / "etc"


def test_database_and_socket_lie_in_the_data_folder_unless_named(folder: Path) -> None:
    settings = written(folder, "data_dir: /var/lib/tocsin\n")
    assert settings.database == "sqlite:////var/lib/tocsin/tocsin.db"
    assert settings.socket == Path("/var/lib/tocsin/tocsin.sock")


@pytest.mark.parametrize(
    "url", ["sqlite:////abs/t.db", "postgresql://tocsin@db/tocsin", "postgresql+psycopg://tocsin:pw@db/tocsin"]
)
def test_a_database_elsewhere_stays_as_it_is_written(folder: Path, url: str) -> None:
    assert written(folder, f"database: {url}\n").database == url


def test_every_key_of_the_contract_is_read(folder: Path) -> None:
    settings = written(
        folder,
        """
database: sqlite:///var/tocsin.db
data_dir: var
listen: 127.0.0.1:8600
metrics_listen: 0.0.0.0:8601
public_url: https://tocsin.example.com/
trusted_proxies: []
socket: var/tocsin.sock
rules: [rules]
language: zh_CN
timezone: Asia/Shanghai
slack: {bot_token: xoxb-1, app_token: xapp-1, signing_secret: s, channel: C0123, api_url: 'http://127.0.0.1:1/api'}
alarms_to: [managers]
blind_after: 0s
reopen_within: 1h
""",
    )
    assert settings.metrics_listen == ("0.0.0.0", 8601)
    assert settings.public_url == "https://tocsin.example.com"
    assert (settings.language, settings.timezone) == ("zh_CN", "Asia/Shanghai")
    assert settings.slack.bot_token is not None
    assert settings.slack.bot_token.get_secret_value() == "xoxb-1"
    assert settings.slack.api_url == "http://127.0.0.1:1/api/"
    assert (settings.alarms_to, settings.blind_after) == (["managers"], timedelta())
    assert settings.warnings == ()


def test_a_key_without_a_value_is_left_out(folder: Path) -> None:
    settings = written(folder, "metrics_listen:\nslack:\n  channel:\nrules:\n")
    assert (settings.metrics_listen, settings.slack.channel) == (None, None)
    assert settings.rules == [folder / "etc" / "rules"]


def test_the_environment_lies_over_secret_files_and_these_over_the_file(folder: Path) -> None:
    secrets = folder / "credentials"
    secrets.mkdir()
    (secrets / "slack_bot_token").write_text("xoxb-file\n")
    (secrets / "slack__app_token").write_text("xapp-file\n")
    (secrets / "language").write_text("zh_CN")
    settings = written(
        folder,
        "slack: {bot_token: xoxb-yaml, app_token: xapp-yaml, channel: C1}\nlisten: 127.0.0.1:1\n",
        {
            "CREDENTIALS_DIRECTORY": str(secrets),
            "TOCSIN_SLACK__APP_TOKEN": "xapp-env",
            "TOCSIN_LISTEN": "127.0.0.1:2",
            "TOCSIN_RULES": "a, b",
            "TOCSIN_PUBLIC_URL": "",
        },
    )
    assert settings.slack.bot_token is not None
    assert settings.slack.app_token is not None
    assert settings.slack.bot_token.get_secret_value() == "xoxb-file"
    assert settings.slack.app_token.get_secret_value() == "xapp-env"
    assert (settings.slack.channel, settings.language, settings.listen.port) == ("C1", "zh_CN", 2)
    assert settings.rules == [folder / "etc" / "a", folder / "etc" / "b"]
    assert settings.public_url is None


def test_a_folder_of_secrets_can_be_a_setting(folder: Path) -> None:
    (folder / "etc" / "secrets").mkdir(parents=True)
    (folder / "etc" / "secrets" / "slack_signing_secret").write_text("abc\n")
    (folder / "etc" / "secrets" / "erp_token").write_text("t0ken\n")
    settings = written(folder, "secrets_dir: secrets\n")
    assert settings.slack.signing_secret is not None
    assert settings.slack.signing_secret.get_secret_value() == "abc"
    assert settings.secrets({}).get("erp_token") == "t0ken"


def test_every_setting_can_come_from_the_environment() -> None:
    environ = {
        "TOCSIN_DATABASE": "sqlite:////x/t.db",
        "TOCSIN_DATA_DIR": "/x",
        "TOCSIN_LISTEN": "[::1]:1",
        "TOCSIN_METRICS_LISTEN": "0.0.0.0:2",
        "TOCSIN_PUBLIC_URL": "https://a",
        "TOCSIN_SOCKET": "/x/s",
        "TOCSIN_RULES": "/r",
        "TOCSIN_LANGUAGE": "zh_CN",
        "TOCSIN_TIMEZONE": "Asia/Tokyo",
        "TOCSIN_SECRETS_DIR": "/",
        "TOCSIN_SLACK__BOT_TOKEN": "xoxb-1",
        "TOCSIN_SLACK__APP_TOKEN": "xapp-1",
        "TOCSIN_SLACK__SIGNING_SECRET": "s",
        "TOCSIN_SLACK__CHANNEL": "C1",
        "TOCSIN_SLACK__API_URL": "http://a",
        "TOCSIN_ALARMS_TO": "a,b",
        "TOCSIN_FALLBACK_AFTER": "1m",
        "TOCSIN_BLIND_AFTER": "1m",
        "TOCSIN_REOPEN_WITHIN": "2m",
        "TOCSIN_JOURNAL_KEEP": "200d",
        "TOCSIN_FAILURES_KEEP": "30d",
        "TOCSIN_MINUTES_KEEP": "30d",
        "TOCSIN_HISTORY_KEEP": "300d",
        "TOCSIN_HISTORY_MAX": "1GiB",
        "TOCSIN_DISK_FREE": "1GiB",
    }
    settings = load_settings(None, environ)
    given = {name for name in Settings.model_fields if settings.is_given(name)}
    assert given == set(Settings.model_fields)
    assert settings.alarms_to == ["a", "b"]
    assert settings.listen == ("::1", 1)


def test_no_token_shows_in_what_is_printed(folder: Path) -> None:
    settings = written(folder, "slack: {bot_token: xoxb-hunter2}\ndatabase: postgresql://u:hunter2@h/d\n")
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        (
            "slack: {bot_token: xoxp-1, channel: C1}",
            {},
            "tocsin.yaml:1:20: does not start with xoxb-: is it another of the app's tokens?",
        ),
        ("slack: {app_token: xapp-1}", {}, "tocsin.yaml:1:1: bot_token is not set: nothing can be sent to Slack"),
        (
            "slack: {bot_token: xoxb-1}",
            {},
            "tocsin.yaml:1:1: channel is not set: only systems with a notify of their own are told",
        ),
        ("", {"TOCSIN_LISTN": "x"}, "environment: TOCSIN_LISTN is no setting and is not used (did you mean"),
        ("", {"TOCSIN_PORT_8600_TCP": "x"}, "environment: TOCSIN_PORT_8600_TCP is no setting and is not used"),
    ],
)
def test_what_is_odd_is_warned_about(folder: Path, text: str, environ: dict[str, str], expected: str) -> None:
    (warning,) = written(folder, text, environ).warnings
    assert str(warning).removeprefix(f"{folder}/etc/").startswith(expected)


def test_secrets_of_rules_are_no_unknown_settings(folder: Path) -> None:
    assert written(folder, "", {"TOCSIN_SECRET_ERP": "x", "TOCSIN_CONFIG": "y"}).warnings == ()


# --- finding the file and the socket ----------------------------------------------------------------------------------


def test_the_flag_comes_before_the_environment_before_the_working_directory(folder: Path) -> None:
    (folder / "tocsin.yaml").write_text("")
    assert settings_file(Path("x.yaml"), {"TOCSIN_CONFIG": "y.yaml"}) == Path("x.yaml")
    assert settings_file(None, {"TOCSIN_CONFIG": "y.yaml"}) == Path("y.yaml")
    assert settings_file(None, {}) == Path("tocsin.yaml")


def test_the_socket_is_found_while_the_settings_are_broken(folder: Path) -> None:
    (folder / "tocsin.yaml").write_text("socket: run/s\nlisten: nonsense\nunknown: 1\n")
    assert list(socket_candidates(None, None, {})) == [Path("run/s"), Path("var/tocsin.sock"), SYSTEM_SOCKET]


def test_whoever_names_a_configuration_means_its_daemon_and_no_other(folder: Path) -> None:
    (folder / "t.yaml").write_text("socket: run/s\n")
    assert list(socket_candidates(None, folder / "t.yaml", {})) == [folder / "run" / "s"]
    assert list(socket_candidates(None, None, {"TOCSIN_CONFIG": "t.yaml"})) == [Path("run/s")]


@pytest.mark.parametrize("text", ["", "[]", "a: [", "socket: 5"])
def test_a_settings_file_that_names_no_socket_does_no_harm(folder: Path, text: str) -> None:
    (folder / "tocsin.yaml").write_text(text)
    assert list(socket_candidates(None, None, {}))[-2:] == [Path("var/tocsin.sock"), SYSTEM_SOCKET]


def test_a_socket_that_was_named_is_the_only_one() -> None:
    assert list(socket_candidates(Path("a"), None, {"TOCSIN_SOCKET": "b"})) == [Path("a")]
    assert list(socket_candidates(None, None, {"TOCSIN_SOCKET": "b"})) == [Path("b")]


def test_the_socket_follows_the_data_folder(folder: Path) -> None:
    (folder / "t.yaml").write_text("data_dir: /var/lib/tocsin\n")
    assert next(iter(socket_candidates(None, folder / "t.yaml", {}))) == Path("/var/lib/tocsin/tocsin.sock")


# --- the machine's zone -----------------------------------------------------------------------------------------------


def test_the_zone_is_that_of_tz_then_of_localtime_then_utc(folder: Path) -> None:
    link = folder / "localtime"
    link.symlink_to("/usr/share/zoneinfo/Asia/Shanghai")
    assert local_zone({"TZ": ":Europe/Berlin"}, link) == "Europe/Berlin"
    assert local_zone({}, link) == "Asia/Shanghai"
    assert local_zone({"TZ": "no/where"}, folder / "none") == "UTC"


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_a_secret_is_the_file_of_its_name_else_the_variable(folder: Path) -> None:
    (folder / "erp-token").write_text("from file\n")
    secrets = Secrets([folder], {"TOCSIN_SECRET_ERP_TOKEN": "from variable", "TOCSIN_SECRET_OTHER": "o"})
    assert secrets.get("erp-token") == "from file"
    assert secrets.get("other") == "o"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff", "is not UTF-8 text"),
        (b"x" * 65537, "is larger than 64 KiB: that is no secret"),
    ],
)
def test_a_file_that_is_no_secret_is_refused(folder: Path, content: bytes, expected: str) -> None:
    (folder / "s").write_bytes(content)
    with pytest.raises(MissingSecret, match=f"{folder}/s {expected}"):
        Secrets([folder], {}).get("s")


def test_a_missing_secret_says_where_it_was_looked_for(folder: Path) -> None:
    with pytest.raises(MissingSecret) as caught:
        Secrets([folder], {}).get("db.password")
    assert str(caught.value) == (
        f'secret "db.password" is not there (looked for {folder}/db.password and TOCSIN_SECRET_DB_PASSWORD)'
    )


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".x", "a b", "a\n"])
def test_a_secret_is_never_looked_for_outside_its_folder(folder: Path, name: str) -> None:
    with pytest.raises(MissingSecret, match="cannot name a secret"):
        Secrets([folder], {}).get(name)
