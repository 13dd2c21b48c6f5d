"""Bundles of the pages' modules and style sheets, and the addresses under which browsers keep files."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
from pathlib import Path

import pytest

from asgi_app.routes.assets import Assets
from asgi_app.routes.bundle import LATER, join_modules, join_styles, with_versions, without_comments
from tests.support.panel_process import ROOT

STATIC = ROOT / "static"
MODULES = sorted(str(path.relative_to(STATIC)) for path in STATIC.rglob("*.js") if path.name != "swagger-ui-bundle.js")
NODE = ROOT / "tests" / "support" / "node"


def as_address(script: str) -> str:
    """An address from which Node can import this module; `?again=2` behind it is not read."""
    return f"data:text/javascript;base64,{base64.b64encode(script.encode()).decode()}#"


def run(files: dict[str, str], *entries: str) -> object:
    """What the bundle of these modules says with `say(value)`, run by Node."""
    first, later = join_modules(entries, files.__getitem__)
    text = "const said = [];\nglobalThis.say = (value) => said.push(value);\n" + first.replace(LATER, as_address(later))
    text += "\nprocess.on('exit', () => console.log(JSON.stringify(said)));\n"
    node = ["node", "--input-type=module"]
    return json.loads(subprocess.run(node, input=text, text=True, check=True, capture_output=True).stdout)


TELLS = {
    "names": (
        {
            "js/a.js": "import { one, two as deux } from './b.js';\nsay([one, deux]);\n",
            "js/b.js": "export const one = 1;\nexport const two = 2;\n",
        },
        [[1, 2]],
    ),
    "names over many lines": (
        {
            "js/a.js": "import {\n  one,\n  two,\n} from './b.js';\nsay(one + two);\n",
            "js/b.js": "export const one = 1;\nexport const two = 2;\n",
        },
        [3],
    ),
    "functions and classes, also before they stand": (
        {
            "js/a.js": "import { f, g, h, C } from './b.js';\nsay([f(), h().next().value, new C().x]);\ng().then;\n",
            "js/b.js": "export function f() {\n  return x();\n}\nfunction x() {\n  return 1;\n}\n"
            "export async function g() {}\nexport function* h() {\n  yield 2;\n}\nexport class C {\n  x = 3;\n}\n",
        },
        [[1, 2, 3]],
    ),
    "a default, and names that are renamed": (
        {
            "js/a.js": "import Plot from '../vendor/plot.js';\n"
            "import { q } from '/static/vendor/plot.js';\nsay([Plot, q]);\n",
            "vendor/plot.js": "const plot = 5;\nconst p = 6;\nexport { plot as default, p as q };\n",
        },
        [[5, 6]],
    ),
    "each module once, in the order of the imports": (
        {
            "js/a.js": "import './c.js';\nimport './b.js';\nsay('a');\n",
            "js/b.js": "import './c.js';\nsay('b');\n",
            "js/c.js": "say('c');\n",
        },
        ["c", "b", "a"],
    ),
    "names of its own in each module": (
        {
            "js/a.js": "import { x } from './b.js';\nconst own = 1;\nsay(own + x);\n",
            "js/b.js": "const own = 10;\nexport const x = own;\n",
        },
        [11],
    ),
    "what is only a comment": (
        {
            "js/a.js": "import { x } from './b.js';\nsay(x);\n",
            "js/b.js": "/*\n// old\nexport function gone() {}\nimport './nowhere.js';\n*/\nexport const x = 1;\n",
        },
        [1],
    ),
    "what comes later, with the modules of the first bundle": (
        {
            "js/a.js": "import { list } from './c.js';\nlist.push('a');\n"
            "import('./b.js').then(({ b }) => say(b()));\nsay('first');\n",
            "js/b.js": "import { list } from './c.js';\nimport { d } from './d.js';\nlist.push('b');\n"
            "say('later');\nexport const b = () => [...list, d];\n",
            "js/c.js": "export const list = [];\n",
            "js/d.js": "export const d = 'd';\n",
        },
        ["first", "later", ["a", "b", "d"]],
    ),
    "what comes later twice runs once, and may import later too": (
        {
            "js/a.js": "const load = () => import('./b.js');\nload().then(({ b }) => load().then(() => b()));\n",
            "js/b.js": "say('b');\nexport const b = () => import('./c.js').then(({ c }) => say(c));\n",
            "js/c.js": "export const c = 'c';\n",
        },
        ["b", "c"],
    ),
    "what is asked for later and is there already": (
        {
            "js/a.js": "import './b.js';\nimport('./c.js').then(({ c }) => say(c));\nimport './c.js';\nsay('a');\n",
            "js/b.js": "import('./c.js').then(({ c }) => say(c));\n",
            "js/c.js": "export const c = 'c';\n",
        },
        ["a", "c", "c"],
    ),
    "an import that is only text": (
        {"js/a.js": "say(`\n  import { x } from './nowhere.js';`.trim());\n"},
        ["import { x } from './nowhere.js';"],
    ),
}


@pytest.mark.parametrize("name", TELLS)
def test_a_bundle_does_what_its_modules_do(name: str) -> None:
    files, said = TELLS[name]
    assert run(files, "js/a.js") == said


def test_two_entries_share_a_module() -> None:
    files = {
        "js/a.js": "import { list } from './c.js';\nlist.push('a');\n",
        "js/b.js": "import { list } from './c.js';\nsay([...list, 'b']);\n",
        "js/c.js": "export const list = [];\n",
    }
    assert run(files, "js/a.js", "js/b.js") == [["a", "b"]]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"a.js": "import './b.js';\n", "b.js": "import './a.js';\n"}, "a.js → b.js → a.js"),
        ({"a.js": "export let x = 1;\n"}, "export let x"),
        ({"a.js": "export default 1;\n"}, "export default 1"),
        ({"a.js": "export * from './b.js';\n"}, "export * from"),
        ({"a.js": "import * as all from './b.js';\n", "b.js": ""}, "import * as all"),
        ({"a.js": "await fetch('/led');\n"}, "await fetch"),
        ({"a.js": "import('./b.js');\n", "b.js": "export let x = 1;\n"}, "export let x"),
    ],
)
def test_what_a_bundle_cannot_have_is_refused(files: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        join_modules(["a.js"], files.__getitem__)


def test_without_comments_the_code_is_the_same() -> None:
    """Acorn, a parser of JavaScript, sees the same tokens in every file of the pages."""
    pairs = [(text := (STATIC / path).read_text(), without_comments(text)) for path in MODULES]
    lines = "".join(json.dumps(pair) + "\n" for pair in pairs)
    said = subprocess.run(["node", NODE / "tokens.mjs"], input=lines, text=True, check=True, capture_output=True).stdout
    same = [json.loads(line) for line in said.splitlines()]
    assert dict(zip(MODULES, same, strict=True)) == dict.fromkeys(MODULES, True)
    assert sum(len(other) for _, other in pairs) < 0.95 * sum(len(one) for one, _ in pairs)


def test_style_sheets_keep_their_order() -> None:
    sheets = {
        "css/a.css": "/* first */\na {\n  top: 0;\n}\n",
        "css/b.css": "b {\n  /* why */\n  top: 1px; /* 1 */\n}\n",
    }
    assert re.findall(r"top: \w+", join_styles(["css/b.css", "css/a.css"], sheets.__getitem__)) == [
        "top: 1px",
        "top: 0",
    ]


@pytest.mark.parametrize(
    ("text", "versioned"),
    [
        ("src: url('/static/a.woff2')", "src: url('/static/a.woff2?v=1')"),
        ('href="/static/a.css"', 'href="/static/a.css?v=1"'),
        ("url(/static/a.png)", "url(/static/a.png?v=1)"),
        ("script.src = '/static/a.js';", "script.src = '/static/a.js?v=1';"),
        ("'/static/gone.js'", "'/static/gone.js'"),
        ("'/static/bundle/'", "'/static/bundle/'"),
        ("see /static/a.js here", "see /static/a.js here"),
    ],
)
def test_an_address_gets_the_version_of_its_file(text: str, versioned: str) -> None:
    assert with_versions(text, lambda path: None if path.startswith("gone") else "1") == versioned
    is_text = text.startswith("see")
    below = versioned if is_text else versioned.replace("/static/", "/light/static/")
    assert with_versions(text, lambda path: None if path.startswith("gone") else "1", "/light") == below


PAGE = (
    "<head>\n"
    '  <link rel="icon" href="/static/icon.svg">\n'
    '  <link rel="stylesheet" href="/static/css/a.css">\n'
    '  <link rel="stylesheet" href="/static/css/b.css">\n'
    '  <script type="module" src="/static/js/a.js"></script>\n'
    '  <script src="/static/old.js" defer></script>\n'
    '  <script type="module" src="/static/js/b.js"></script>\n'
    "</head>\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "icon.svg": "<svg/>",
        "css/a.css": "a { background: url('/static/icon.svg'); }\n",
        "css/b.css": "b {}\n",
        "js/a.js": "import { x } from './b.js';\n",
        "js/b.js": "export const x = 1;\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def names(assets: Assets) -> list[str]:
    """The addresses in the head of the page."""
    html = assets.page(PAGE).content.decode()
    return re.findall(r'"/static/((?!old)[^"]+)"', html)


def test_a_page_names_one_style_sheet_and_one_module(folder: Path) -> None:
    assets = Assets(folder)
    icon, styles, module = names(assets)
    assert re.fullmatch(r"icon\.svg\?v=[0-9a-f]{12}", icon)
    sheet, script = assets.file(styles), assets.file(module)
    assert sheet is not None
    assert script is not None
    assert icon in sheet.content.decode()
    assert "const x = 1" in script.content.decode()


def test_what_comes_later_is_a_bundle_of_its_own(folder: Path) -> None:
    (folder / "js/a.js").write_text("const load = () => import('./c.js');\n")
    (folder / "js/c.js").write_text("export const icon = '/static/icon.svg';\n")
    assets = Assets(folder)

    def both() -> tuple[str, str]:
        first = names(assets)[2]
        script = assets.file(first)
        assert script is not None
        return first, re.findall(r"import\(.*'/static/(bundle/[0-9a-f]{12}\.js)'\)", script.content.decode())[0]

    first, later = both()
    assert (file := assets.file(later)) is not None
    assert re.search(r"'/static/icon\.svg\?v=[0-9a-f]{12}'", file.content.decode())
    (folder / "js/a.js").write_text("const load = () => import('./c.js'); // again\n")
    assert both()[0] != first
    assert both()[1] == later
    assert assets.file(later) is not None
    (folder / "js/c.js").write_text("export const icon = 'none';\n")
    newest = both()
    assert later not in newest
    assert [assets.file(name) is None for name in (first, later, *newest)] == [True, True, False, False]


def test_the_modules_run_after_a_script_that_stands_before_the_last_of_them(folder: Path) -> None:
    html = Assets(folder).page(PAGE).content.decode()
    assert html.index("old.js") < html.index("/static/bundle/", html.index(".css")) < html.index("</head>")


@pytest.mark.parametrize(("path", "changed"), [("css/b.css", [1]), ("js/b.js", [2]), ("icon.svg", [0, 1])])
def test_a_file_that_changes_gives_new_addresses(folder: Path, path: str, changed: list[int]) -> None:
    assets = Assets(folder)
    before = names(assets)
    assert names(assets) == before
    (folder / path).write_text((folder / path).read_text() + "\n\n")
    after = names(assets)
    assert [index for index in range(3) if before[index] != after[index]] == changed
    assert all(assets.file(name) is None for index, name in enumerate(before) if index in changed and index)


def test_a_file_that_is_missing_is_said(folder: Path) -> None:
    (folder / "js/b.js").unlink()
    with pytest.raises(FileNotFoundError, match=r"static/js/b\.js is missing"):
        Assets(folder).page(PAGE)


@pytest.mark.parametrize(
    "path", ["", ".", "..", "../etc/passwd", "/etc/passwd", "css", "a\0b", "bundle/0.js", "x" * 300]
)
def test_what_is_no_file_is_none(folder: Path, path: str) -> None:
    assert Assets(folder).file(path) is None


def test_a_text_is_kept_with_gzip_only(folder: Path) -> None:
    (folder / "long.js").write_text("say('hello');\n" * 1000)
    file = Assets(folder).file("long.js")
    assert file is not None
    assert len(file.body) < 500
    assert gzip.decompress(file.body) == file.content == (folder / "long.js").read_bytes()


AT_THE_TOP = re.compile(
    r"""(?:fetch|location\.assign|new URL|new WebSocket)\((?:path|['"`]/(?!static/))|\bhref(?: =|:) ['"`]/"""
)


@pytest.mark.parametrize("path", [path for path in MODULES if path.startswith("js/") and "service-worker" not in path])
def test_no_script_names_an_address_at_the_top_of_the_host(path: str) -> None:
    """The panel may be below a path of a proxy: addresses begin with ROOT, and those of files get it in the bundle."""
    assert AT_THE_TOP.findall((STATIC / path).read_text()) == []
