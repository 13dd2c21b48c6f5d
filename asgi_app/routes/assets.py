"""The files of `static/`: in bundles, compressed, and with a version in their address, so that browsers keep them.

An address with its version is kept for a year (RFC 8246); every other one is asked for each time (304). The head of a
page in `templates/` names the single files. `Assets.page` joins them, so what a page needs stands in one place.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
import re
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from quart import Blueprint, Response, request
from werkzeug.security import safe_join

from asgi_app.errors import NotFound
from asgi_app.routes.bundle import LATER, join_modules, join_styles, with_versions

FOR_GOOD = "public, max-age=31536000, immutable"
EACH_TIME = "no-cache"
TEXT = (".css", ".html", ".js", ".json", ".svg", ".webmanifest", ".txt")  # what is worth compressing
WORTH_IT = 512  # bytes; a smaller text is sent as it is
WORKER = "js/service-worker.js"
POLICY_OF_THE_WORKER = "default-src 'none'; connect-src 'self'"  # it asks this panel only
STYLES = re.compile(r'[ ]*<link rel="stylesheet" href="/static/([^"]+)">\n')
LINKS = re.compile(r'(?<= href=")/(?!static/)')  # to pages and routes; a text in it would have &#34;
MODULES = re.compile(r'[ ]*<script type="module" src="/static/([^"]+)"></script>\n')

Stamp = tuple[int, int]  # of a file: when it was written, and its length


class File(NamedTuple):
    """What is sent for one address. A text is kept with gzip only, which nearly every client takes."""

    body: bytes
    packed: bool
    version: str
    type: str

    @property
    def content(self) -> bytes:
        """The content as it is in the file."""
        return gzip.decompress(self.body) if self.packed else self.body


class Bundle(NamedTuple):
    """The names of a bundle and of the one that it loads later, and the stamps of the files that they were made of."""

    names: list[str]
    stamps: dict[str, Stamp]


class Assets:
    """The files below one folder, read once and again when they have changed. May be called from any thread.

    Pages and bundles name addresses below `root`, the path of the panel at its proxy.
    """

    def __init__(self, folder: Path, root: str = "") -> None:
        self.root = root
        self._folder = folder
        self._lock = threading.Lock()
        self._files: dict[str, tuple[Stamp, File]] = {}
        self._bundles: dict[tuple[str, ...], Bundle] = {}
        self._joined: dict[str, File] = {}  # by name

    def file(self, path: str) -> File | None:
        """Return the file at a path below the folder, or the bundle of this name; None if there is none."""
        with self._lock:
            return self._joined.get(path) or self._read(path)

    def page(self, html: str) -> File:
        """Return the page with one style sheet, one module, and versions in the addresses of files."""
        return as_file("page.html", self._bundled(html).encode())

    def _bundled(self, html: str) -> str:
        with self._lock:
            for pattern, suffix, tag in (
                (STYLES, ".css", '  <link rel="stylesheet" href="/static/{}">\n'),
                (MODULES, ".js", '  <script type="module" src="/static/{}"></script>\n'),
            ):
                found = list(pattern.finditer(html))
                bundle = tag.format(self._bundle(tuple(file[1] for file in found), suffix))
                end = found[-1].end()  # the last one's place: a deferred script that stands before it runs before it
                html = pattern.sub("", html[:end]) + bundle + html[end:]
            return with_versions(
                LINKS.sub(f"{self.root}/", html), lambda path: _version_of(self._read(path)), self.root
            )

    def _bundle(self, paths: tuple[str, ...], suffix: str) -> str:
        """The name of the bundle of these files; it is made if there is none yet, or if a file has changed."""
        known = self._bundles.get(paths)
        if known is not None and all(self._stamp(path) == stamp for path, stamp in known.stamps.items()):
            return known.names[0]
        stamps: dict[str, Stamp] = {}

        def note(path: str) -> File | None:
            found = self._read(path)
            if found is not None:
                stamps[path], _ = self._files[path]
            return found

        def read(path: str) -> str:
            if (found := note(path)) is None:
                raise FileNotFoundError(f"static/{path} is missing. Install the panel again.")
            return found.content.decode()

        text, later = (join_styles(paths, read), "") if suffix == ".css" else join_modules(paths, read)
        for old in known.names if known is not None else ():
            self._joined.pop(old, None)
        names = [self._keep(later, suffix, note)] if later else []
        for name in names:
            text = text.replace(LATER, f"{self.root}/static/{name}")
        names.insert(0, self._keep(text, suffix, note))
        self._bundles[paths] = Bundle(names, stamps)
        return names[0]

    def _keep(self, text: str, suffix: str, note: Callable[[str], File | None]) -> str:
        """Keep a bundle with the versions of the files that it names, and return its name."""
        content = with_versions(text, lambda path: _version_of(note(path)), self.root).encode()
        name = f"bundle/{_hash(content)}{suffix}"
        self._joined[name] = as_file(name, content)
        return name

    def _stamp(self, path: str) -> Stamp | None:
        where = safe_join(str(self._folder), path)
        try:
            status = Path(where).stat() if where is not None else None
        except (OSError, ValueError):
            return None
        return None if status is None else (status.st_mtime_ns, status.st_size)

    def _read(self, path: str) -> File | None:
        stamp, known = self._stamp(path), self._files.get(path)
        if stamp is None:
            return None
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            content = (self._folder / path).read_bytes()
        except OSError:  # a folder
            return None
        file = as_file(path, content)
        self._files[path] = (stamp, file)
        return file


def asset_routes(assets: Assets, make_all: Callable[[], Awaitable[None]]) -> Blueprint:
    """Return `GET /static/…`. `make_all` makes the bundles of every page.

    A browser may know a bundle from another process, as from the one before a restart or from another front of a home.
    """
    routes = Blueprint("assets", __name__)
    all_made = False

    @routes.get("/static/<path:filename>", endpoint="static")
    async def static(filename: str) -> Response:
        nonlocal all_made
        file = await asyncio.to_thread(assets.file, filename)
        if file is None and filename.startswith("bundle/") and not all_made:
            await make_all()
            all_made = True
            file = await asyncio.to_thread(assets.file, filename)
        if file is None:
            raise NotFound(f"There is nothing at {request.path}.")
        kept = filename.startswith("bundle/") or request.args.get("v") == file.version
        response = await respond(file, FOR_GOOD if kept else EACH_TIME)
        if filename == WORKER:
            response.headers["Service-Worker-Allowed"] = f"{assets.root}/"  # it answers for all pages
            response.headers["Content-Security-Policy"] = POLICY_OF_THE_WORKER
        return response

    return routes


async def respond(file: File, cache: str, status: int = 200) -> Response:
    """Return a file or a page as a response to the current request: with gzip, a part, or 304, as it asks for."""
    packed = file.packed and request.accept_encodings.quality("gzip") > 0
    body = file.body if packed else file.content
    response = Response(body, status=status, content_type=file.type)
    response.headers["Cache-Control"] = cache
    if file.packed:
        response.vary.add("Accept-Encoding")
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    if status == 200:
        response.set_etag(f"{file.version}{'-gzip' if packed else ''}")
        await response.make_conditional(request, accept_ranges=not packed, complete_length=len(body))
    return response


def as_file(path: str, content: bytes) -> File:
    """Return the content as it is kept; the suffix of the path says what it is."""
    packed = path.endswith(TEXT) and len(content) >= WORTH_IT
    guessed = mimetypes.guess_type(path)[0] or "application/octet-stream"
    if guessed.startswith("text/"):
        guessed += "; charset=utf-8"
    return File(gzip.compress(content, mtime=0) if packed else content, packed, _hash(content), guessed)


def _version_of(file: File | None) -> str | None:
    return None if file is None else file.version


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
