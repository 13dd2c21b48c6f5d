"""Bundles: the ES modules or the style sheets of a page as one text, so that a browser asks once and not forty times.

The modules are as they are written; each becomes a function that returns its exports. So the panel needs no build step,
and no Node on the Pi. What this cannot do, it refuses: cycles, `export let`, and top-level `await`.

What the modules import while they run, with `import('./sheet.js')`, is a second bundle. It comes when it is first
needed, and uses the modules of the first.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

Read = Callable[[str], str]  # the text of a file, by its path below `static/`

IMPORT = re.compile(r"^import\s+(?:(\{[^}]*\}|[\w$]+)\s+from\s+)?'([^']+)';[^\n]*$", re.M)
EXPORT = re.compile(r"^export\s+((?:async\s+)?function\*?|class|const)\s+([\w$]+)", re.M)
EXPORT_LIST = re.compile(r"^export\s+\{([^}]*)\};?[^\n]*$", re.M)
INDENT = re.compile(r"^[ ]+", re.M)
COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*(?:(?!\*/)[\s\S])*\*/)\n", re.M)  # with nothing beside it
DYNAMIC = re.compile(r"(?<![\w$.])import\('([^']+)'\)")
LEFT_OVER = re.compile(r"^(?:import|export|await)\b[^\n]*", re.M)
URL = re.compile(r"""(?<=['"(])/static/[\w./-]+\.(?:css|js|png|svg|woff2)(?=['")])""")

STATIC = re.compile(r"""(?<=['"(])(?=/static/)""")  # before the address of a file

LATER = "/static/bundle/later.js"  # stands in the first bundle for the address of the second
# `$later(7)` is a promise of the exports of the module with the number 7, from the second bundle. As a browser may
# remember that an address failed, each try has one of its own.
ASK_LATER = """\
const $later = (() => {
  let asked = 0;
  let coming = null;
  const ask = async (tries) => {
    asked += 1;
    try {
      return (await import(asked > 1 ? `LATER?again=${asked}` : 'LATER')).default(SHARED);
    } catch (error) {
      if (tries === 1) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return ask(tries - 1);
    }
  };
  return async (number) => {
    coming ??= ask(3).catch((error) => {
      coming = null;
      throw error;
    });
    return (await coming)[number];
  };
})();
"""


class Script(NamedTuple):
    """The bundle of a page, and the one that it loads later; empty if there is nothing in it."""

    first: str
    later: str


def join_modules(entries: Sequence[str], read: Read) -> Script:
    """Return one module that runs the `entries`, and before each of them what it imports, each once.

    The second one has what they import later. The first one asks for it at `LATER`.

    Raises: `ValueError` for what a bundle cannot have.
    """
    done: dict[str, str] = {}  # the text of each module, in the order in which they run
    for entry in entries:
        _add(entry, read, done, ())
    first = list(done)
    for path in _imported_later(done):
        _add(path, read, done, ())
    numbers = {path: number for number, path in enumerate(done)}
    texts = {path: f"// {path}\n{_wrapped(path, text, numbers, len(first))}\n" for path, text in done.items()}
    now = "".join(texts.pop(path) for path in first)
    if not texts:
        return Script(now, "")
    own = {path: f"$m{numbers[path]}" for path in texts}
    later = "".join(texts.values())
    shared = ["$later", *(f"$m{number}" for number in range(len(first)) if f" = $m{number};" in later)]
    exports = ", ".join(f"{numbers[path]}: {name}" for path, name in own.items())
    ask = ASK_LATER.replace("LATER", LATER).replace("SHARED", f"{{ {', '.join(shared)} }}")
    return Script(ask + now, f"export default ({{ {', '.join(shared)} }}) => {{\n{later}return {{ {exports} }};\n}};\n")


def _imported_later(done: dict[str, str]) -> Iterator[str]:
    """What the modules import while they run and is not among them; `done` may grow meanwhile."""
    seen = 0
    while seen < len(done):
        path = list(done)[seen]
        seen += 1
        for target in DYNAMIC.findall(done[path]):
            if (wanted := _path_of(target, path)) not in done:
                yield wanted


def join_styles(paths: Sequence[str], read: Read) -> str:
    """Return the style sheets as one, in this order."""
    return "".join(f"/* {path} */\n{INDENT.sub('', without_comments(read(path)))}\n" for path in paths)


def without_comments(text: str) -> str:
    """Return the text without the lines that are only a comment: a fifth of the bytes, with gzip too."""
    return COMMENT.sub("", text)


def with_versions(text: str, version_of: Callable[[str], str | None], root: str = "") -> str:
    """Return the text with `?v=` and its version behind each address of a file in `static/` that is there.

    Before each address comes `root`, the path of the panel at its proxy.
    """

    def versioned(found: re.Match[str]) -> str:
        version = version_of(found[0].removeprefix("/static/"))
        return found[0] if version is None else f"{found[0]}?v={version}"

    return STATIC.sub(root, URL.sub(versioned, text))


def _add(path: str, read: Read, done: dict[str, str], inside: tuple[str, ...]) -> None:
    if path in inside:
        raise ValueError(f"Modules import each other: {' → '.join([*inside, path])}. A bundle cannot have that.")
    if path in done:
        return
    text = without_comments(read(path))
    for _, target in IMPORT.findall(text):
        _add(_path_of(target, path), read, done, (*inside, path))
    done[path] = text


def _path_of(target: str, importer: str) -> str:
    """The path below `static/` of what is imported, as `./words.js` or `/static/js/words.js`."""
    if target.startswith("/"):
        return target.removeprefix("/static/")
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), target))


def _wrapped(path: str, text: str, numbers: dict[str, int], first: int) -> str:
    """The module as a function that is called at once; `$m7` holds the exports of the module with the number 7.

    Those below `first` are in the first bundle.
    """

    def take(found: re.Match[str]) -> str:
        names, target = found.groups()
        if names is None:
            return ""
        renamed = re.sub(r"\s+as\s+", ": ", names) if names.startswith("{") else f"{{ default: {names} }}"
        return f"const {renamed} = $m{numbers[_path_of(target, path)]};"

    def take_later(found: re.Match[str]) -> str:
        number = numbers[_path_of(found[1], path)]
        return f"Promise.resolve().then(() => $m{number})" if number < first else f"$later({number})"

    exported = {name: name for _, name in EXPORT.findall(text)}
    for names in EXPORT_LIST.findall(text):
        for own, _, given in (name.strip().partition(" as ") for name in names.split(",") if name.strip()):
            exported[given or own] = own
    text = DYNAMIC.sub(take_later, IMPORT.sub(take, text))
    text = EXPORT.sub(r"\1 \2", EXPORT_LIST.sub("", text))
    if (odd := LEFT_OVER.search(text)) is not None:
        raise ValueError(f"{path}: a bundle cannot have “{odd[0]}”.")
    returned = ", ".join(name if name == own else f"{name}: {own}" for name, own in exported.items())
    return f"const $m{numbers[path]} = (() => {{\n{text}\nreturn {{ {returned} }};\n}})();"
