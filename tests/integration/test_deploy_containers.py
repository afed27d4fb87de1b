"""The shipped image and compose file, as far as they can be tried without a container engine."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tocsin.config import load_rules, load_settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, continued lines joined."""
    lines = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


def of(stage: list[tuple[str, str]], word: str) -> list[str]:
    return [rest for name, rest in stage if name == word]


def context(folder: Path) -> None:
    """Copy what .dockerignore lets in: it shuts everything out, and then names what may."""
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert rules[-1] == "**/__pycache__"
    for rule in rules[1:-1]:
        assert rule.startswith("!"), rule
        source, target = ROOT / rule[1:], folder / rule[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def test_every_instruction_is_one_that_docker_knows() -> None:
    known = {"FROM", "ARG", "ENV", "RUN", "COPY", "WORKDIR", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"}
    assert {word for word, _ in instructions()} <= known | {"ENTRYPOINT", "CMD"}


def test_both_stages_start_from_the_same_slim_glibc_python_of_a_fixed_version() -> None:
    bases = [of(stage, "FROM")[0].split()[0] for stage in stages()]
    assert len(bases) == 2
    assert re.fullmatch(r"python:3\.\d+-slim-bookworm", bases[0])
    assert bases[0] == bases[1]
    minor = int(bases[0].split(".")[1].split("-")[0])
    assert minor >= 11


def test_only_locked_wheels_are_installed_and_the_compiler_stays_out() -> None:
    build, final = stages()
    installs = [rest for rest in of(build, "RUN") if "pip install" in rest]
    assert "--require-hashes --only-binary=:all: -r requirements.txt" in installs[0]
    assert "--no-deps --no-build-isolation ." in installs[1]
    assert not any("pip" in rest or "apt" in rest for rest in of(final, "RUN"))


def test_the_image_runs_as_a_numbered_user_who_owns_only_what_is_written() -> None:
    final = stages()[1]
    uid = of(final, "USER")
    assert uid == ["10001:10001"], "a number, so that an orchestrator can tell that it is not root"
    assert of(final, "VOLUME") == of(final, "WORKDIR") == ["/var/lib/tocsin"]
    assert not any("chown" in rest for _, rest in final)


def test_the_health_check_asks_healthz_on_the_address_that_the_shipped_settings_listen_on() -> None:
    check = of(stages()[1], "HEALTHCHECK")[0]
    command = json.loads(check[check.index("[") :])
    assert command[:2] == ["python", "-c"]
    listen = yaml.safe_load((DEPLOY / "config" / "tocsin.yaml").read_text())["listen"]
    assert f"http://{listen}/healthz" in command[2]
    compile(command[2], "HEALTHCHECK", "exec")


def test_the_command_names_the_configuration_that_compose_mounts() -> None:
    final = stages()[1]
    assert json.loads(of(final, "ENTRYPOINT")[0]) == ["tocsin"]
    assert json.loads(of(final, "CMD")[0]) == ["run", "--config", "/etc/tocsin/tocsin.yaml"]
    assert "./config:/etc/tocsin:ro" in service("tocsin")["volumes"]


def test_whatever_is_copied_is_let_into_the_context(tmp_path: Path) -> None:
    context(tmp_path)
    for stage in stages():
        for words in (shlex.split(rest) for rest in of(stage, "COPY")):
            if not words[0].startswith("--from="):
                assert [source for source in words[:-1] if not (tmp_path / source).exists()] == []
    assert not (tmp_path / ".git").exists()
    assert not (tmp_path / "tests").exists()


def test_the_context_is_enough_to_build_and_run_the_program(tmp_path: Path) -> None:
    """What the build stage does, in a folder instead of a layer."""
    source, target = tmp_path / "context", tmp_path / "installed"
    context(source)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run(
        [*install, "--no-build-isolation", "--no-index", "--target", str(target), "."],
        cwd=source,
        check=True,
        timeout=110,
        env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"},
    )
    shutil.rmtree(source)
    look = "import tocsin; print(tocsin.__file__); from tocsin.cli.main import main; main()"
    shown = subprocess.run(
        [sys.executable, "-c", look, "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
    )
    where, version = shown.stdout.splitlines()
    assert where.startswith(str(target))
    assert version.startswith("tocsin ")
    for needed in ("py.typed", "testing/demo/tocsin.yaml", "words/slack.en.toml", "web/templates", "web/static"):
        assert (target / "tocsin" / needed).exists(), needed


# --- compose ---


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8")))


def service(name: str) -> dict[str, Any]:
    return dict(compose()["services"][name])


def test_compose_uses_only_keys_that_the_specification_has() -> None:
    known = {
        *(
            "build",
            "image",
            "restart",
            "stop_grace_period",
            "read_only",
            "cap_drop",
            "security_opt",
            "pids_limit",
            "mem_limit",
        ),
        *("ulimits", "tmpfs", "volumes", "secrets", "expose", "ports", "logging", "command", "depends_on"),
    }
    assert compose().keys() == {"name", "services", "volumes", "secrets"}
    for name in compose()["services"]:
        assert service(name).keys() <= known, name


def test_every_service_is_shut_in() -> None:
    for name in ("tocsin", "prometheus"):
        told = service(name)
        assert told["read_only"] is True
        assert told["cap_drop"] == ["ALL"]
        assert told["security_opt"] == ["no-new-privileges:true"]
        assert told["logging"]["options"]["max-size"]
    assert not any("privileged" in service(name) or "user" in service(name) for name in ("tocsin", "prometheus"))


def test_nothing_is_published_beyond_the_machine() -> None:
    published = [port for name in compose()["services"] for port in service(name).get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_tocsin_has_longer_to_stop_than_it_takes() -> None:
    assert int(service("tocsin")["stop_grace_period"].removesuffix("s")) > 10


def test_what_tocsin_writes_is_a_volume_or_in_memory() -> None:
    told = service("tocsin")
    writable = {volume.split(":")[1] for volume in told["volumes"] if not volume.endswith(":ro")}
    writable |= {entry.split(":")[0] for entry in told["tmpfs"]}
    settings = yaml.safe_load((DEPLOY / "config" / "tocsin.yaml").read_text())
    assert {settings["data_dir"], str(Path(settings["socket"]).parent), "/tmp"} <= writable
    owner = next(entry for entry in told["tmpfs"] if entry.startswith("/run/tocsin:"))
    assert "uid=10001,gid=10001" in owner


def test_every_secret_is_a_file_that_settings_find(tmp_path: Path) -> None:
    secrets = compose()["secrets"]
    assert set(service("tocsin")["secrets"]) == set(secrets)
    assert "secrets/" in (DEPLOY / ".gitignore").read_text().splitlines()
    for name, told in secrets.items():
        assert told == {"file": f"./secrets/{name}"}
        (tmp_path / name).write_text(f"value-of-{name}\n")
    settings = load_settings(None, {"TOCSIN_SECRETS_DIR": str(tmp_path)})
    assert {f"slack__{key}" for key in ("bot_token", "app_token") if getattr(settings.slack, key)} == set(secrets)


def test_the_shipped_settings_and_rules_are_valid_with_the_images_own(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY / "config", tmp_path / "config")
    (tmp_path / "secrets").mkdir()
    file = tmp_path / "config" / "tocsin.yaml"
    text = file.read_text()
    for old, new in {"/usr/share/tocsin/rules": str(ROOT / "rules"), "/run/secrets": str(tmp_path / "secrets")}.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    assert "COPY rules /usr/share/tocsin/rules" in DOCKERFILE.read_text()
    settings = load_settings(file, {})
    loaded = load_rules(settings.rules, settings=settings, secrets=settings.secrets({}))
    assert set(loaded.rulebook.systems) == {"erp"}
    assert loaded.warnings == ()


def test_prometheus_finds_tocsin_where_compose_puts_it() -> None:
    prometheus = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    target = prometheus["scrape_configs"][0]["static_configs"][0]["targets"][0]
    listen = yaml.safe_load((DEPLOY / "config" / "tocsin.yaml").read_text())["metrics_listen"]
    port = listen.rpartition(":")[2]
    assert target == f"tocsin:{port}"
    assert service("tocsin")["expose"] == [port]
    mounted = {volume.split(":")[0] for volume in service("prometheus")["volumes"] if volume.startswith("./")}
    assert all((DEPLOY / source).exists() for source in mounted)
