"""`pilotlight` on a machine for which there are no compiled libraries but pydantic's: a 32-bit Raspberry Pi."""

from __future__ import annotations

import sys

# None: importing it says that there is none.
sys.modules.update(dict.fromkeys(("uvloop", "httptools", "argon2", "_argon2_cffi_bindings")))

from asgi_app.cli.main import main  # noqa: E402 - only now

main()
