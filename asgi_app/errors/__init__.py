"""The errors that the panel answers with: one tree of exceptions.

Each names what was refused, why, and what would be accepted. `status` is the HTTP status that a transport may use.
`PanelError.problem()` is the problem object of RFC 9457. Every protocol answers with it: as the body over REST,
inside the reply on a socket. All are here; `SetupError` keeps the panel from starting.
"""

from asgi_app.errors.access import *  # noqa: F403
from asgi_app.errors.base import *  # noqa: F403
from asgi_app.errors.limits import *  # noqa: F403
from asgi_app.errors.requests import *  # noqa: F403
from asgi_app.errors.things import *  # noqa: F403
