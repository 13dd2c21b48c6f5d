"""The docs are true: every setting, command, event, problem and route is documented, and every link leads somewhere."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import click
import pytest
from pydantic import BaseModel
from quart import Quart

from asgi_app import errors
from asgi_app.app import PanelApp
from asgi_app.cli.main import cli
from asgi_app.models.base import Asks
from asgi_app.models.lights import LightChange, LightSpec
from asgi_app.models.wire import OF_SEVERAL, Command, Event
from asgi_app.settings import Settings
from asgi_app.shows.reader import find_shows
from asgi_app.shows.show import Show, Step
from tests.support.panel_process import ROOT

DOCS = ROOT / "docs"
WIRES = "".join(page.read_text() for page in sorted((DOCS / "reference").glob("*.md")))
SETTINGS = (DOCS / "reference" / "settings.md").read_text()
PAGE_WORDS = (ROOT / "static" / "js" / "view" / "problem-zh.js").read_text()
DEPENDENCIES = (DOCS / "dependencies.md").read_text()


def problems() -> list[type[errors.PanelError]]:
    def below(kind: type[errors.PanelError]) -> list[type[errors.PanelError]]:
        return [kind, *(found for child in kind.__subclasses__() for found in below(child))]

    kinds = below(errors.PanelError)
    return sorted({kind for kind in kinds if kind.__module__.startswith("asgi_app.errors.")}, key=str)


def members(union: object) -> list[type[BaseModel]]:
    """The models of an annotated union."""
    return list(typing.get_args(typing.get_args(union)[0]))


COMMANDS = [*members(Command), *OF_SEVERAL.values()]


def in_fields_of(kind: type[BaseModel]) -> set[str]:
    """What its fields are called on the wire."""
    return {info.alias or name for name, info in kind.model_fields.items()}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    assert re.search(rf"^\| `{name}` \|", SETTINGS, re.M)


@pytest.mark.parametrize("name", LightSpec.model_fields)
def test_every_key_of_a_light_is_documented(name: str) -> None:
    assert re.search(rf"^\| `{name}` \|", SETTINGS, re.M)


@pytest.mark.parametrize("name", cli.list_commands(click.Context(cli)))
def test_every_command_of_the_command_line_is_documented(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert f"`pilotlight {name}`" in SETTINGS
    assert command is not None
    assert command.get_short_help_str()


def test_every_setting_is_a_flag_of_serve() -> None:
    flags = {name for name, field in Settings.model_fields.items() if name != "lights"}
    serve = cli.commands["serve"]
    assert flags < {param.name for param in serve.get_params(click.Context(serve)) if isinstance(param, click.Option)}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda kind: kind.__name__)
def test_every_command_is_documented(command: type[BaseModel]) -> None:
    assert f'"do": "{command.model_fields["do"].default}"' in WIRES


@pytest.mark.parametrize("command", COMMANDS, ids=lambda kind: kind.__name__)
def test_what_the_answer_to_a_command_means_is_documented(command: type[BaseModel]) -> None:
    assert f"`{command.model_fields['do'].default}`" in (DOCS / "wires.md").read_text()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda kind: kind.__name__)
def test_every_field_of_a_command_is_documented(command: type[BaseModel]) -> None:
    for field in in_fields_of(command) - {"do"}:
        assert f'"{field}"' in WIRES or f"`{field}`" in WIRES, field


@pytest.mark.parametrize("command", COMMANDS, ids=lambda kind: kind.__name__)
def test_every_field_of_a_reply_is_documented(command: type[BaseModel]) -> None:
    (result,) = (typing.get_args(base)[0] for base in command.__orig_bases__ if typing.get_origin(base) is Asks)
    for field in in_fields_of(result) - {"rev"}:
        assert f'"{field}"' in WIRES or f"`{field}`" in WIRES, field


@pytest.mark.parametrize("event", members(Event), ids=lambda kind: kind.__name__)
def test_every_field_of_an_event_is_documented(event: type[BaseModel]) -> None:
    for field in in_fields_of(event) - {"event"}:
        assert f'"{field}"' in WIRES or f"`{field}`" in WIRES, field


@pytest.mark.parametrize("show", sorted(find_shows(None)))
def test_every_show_of_the_panel_is_documented(show: str) -> None:
    assert re.search(rf"^\| `{show}` \|", WIRES, re.M)


@pytest.mark.parametrize("step", [*Step.model_fields, *Show.model_fields])
def test_every_word_of_a_show_is_documented(step: str) -> None:
    assert re.search(rf"`{step}`|^{step} = |\[\[{step}\]\]", WIRES, re.M)


@pytest.mark.parametrize("verb", LightChange.model_fields)
def test_every_verb_is_documented(verb: str) -> None:
    assert re.search(rf"^\| `{verb}` \|", WIRES, re.M)


@pytest.mark.parametrize("event", members(Event), ids=lambda kind: kind.__name__)
def test_every_event_is_documented(event: type[BaseModel]) -> None:
    assert re.search(rf"^\| `{event.model_fields['event'].default}` \|", WIRES, re.M)


@pytest.mark.parametrize("problem", problems(), ids=lambda kind: kind.slug)
def test_every_problem_is_documented_with_its_status(problem: type[errors.PanelError]) -> None:
    assert re.search(rf"^\| `{problem.slug}` \| {problem.status} \|", WIRES, re.M)


@pytest.mark.parametrize("problem", problems(), ids=lambda kind: kind.slug)
def test_every_problem_has_a_title_in_chinese(problem: type[errors.PanelError]) -> None:
    assert re.search(rf"^  '?{problem.slug}'?: \[\s*'.*[\u4e00-\u9fff]", PAGE_WORDS, re.M)


def test_every_route_is_documented(tmp_path: Path) -> None:
    house = PanelApp(Settings(pins="mock", data=tmp_path))
    quart: Quart = house.quart
    house.store.close()
    missing = []
    for rule in quart.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", rule.rule)
        if rule.websocket:
            missing += [] if f"`ws {path}`" in WIRES else [f"ws {path}"]
            continue
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            if f"`{method} {path}`" not in WIRES and f"`{path}` shows" not in WIRES:
                missing.append(f"{method} {path}")
    assert missing == []


def test_every_namespace_event_is_documented(tmp_path: Path) -> None:
    house = PanelApp(Settings(pins="mock", data=tmp_path))
    house.store.close()
    for namespace in house.sockets.namespace_handlers.values():
        for event in namespace.handlers:
            assert f"`{event}" in WIRES


def test_every_dependency_has_its_line() -> None:
    declared = re.findall(r'^    "([a-z-]+)[>=]', (ROOT / "pyproject.toml").read_text(), re.M)
    assert declared
    assert [name for name in declared if name not in DEPENDENCIES] == []


def test_every_vendored_file_is_listed_with_its_licence() -> None:
    table = (ROOT / "static/vendor/README.md").read_text()
    for package in sorted(path.name for path in (ROOT / "static/vendor").iterdir() if path.is_dir()):
        assert package in table
        assert list((ROOT / "static/vendor" / package).glob("LICENSE*")), package


def test_the_index_lists_every_page_once() -> None:
    listed = re.findall(r"\]\(([\w/-]+\.md)\)", (DOCS / "README.md").read_text())
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"README.md"}
    assert sorted(listed) == sorted(pages)


@pytest.mark.parametrize("page", sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")]), ids=lambda path: path.name)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", page.read_text()):
        link = target[0] or target[1]
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        file = page if not path else (page.parent / path)
        assert file.exists(), f"{page.name}: {link}"
        if anchor and file.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name}: {link}"


def test_the_walk_through_the_files_names_files_and_functions_that_exist() -> None:
    text = (DOCS / "architecture.md").read_text()
    walk = text[text.index("## One slider move") : text.index("## What holds")]
    source = {
        path: path.read_text() for path in [*(ROOT / "asgi_app").rglob("*.py"), *(ROOT / "static/js").rglob("*.js")]
    }
    for name in re.findall(r"`((?:static|ws|hw|routes)?/?[\w/-]+\.(?:py|js))`", walk):
        assert (ROOT / name).exists() or (ROOT / "asgi_app" / name).exists(), name
    everything = "\n".join(source.values())
    for dotted in re.findall(r"`(?:\w+\.)?(\w+)\.(_?\w+)`", walk):
        if dotted[1] in ("py", "js", "duty"):
            continue
        assert re.search(rf"\b{dotted[1]}\b", everything), dotted
    for name in ("read", "_do", "commit", "publish", "encoded", "parse_command", "drive"):
        assert name in walk
        assert re.search(rf"def {name}\b", everything), name
