"""Why a target is not met, where it is not: what profiles have shown."""

LONE = (
    "The bare uvloop writer, which reads a frame and writes ready bytes, takes 0.77 to 0.99 of Node's CPU (on both "
    "processors): what is left for all that the panel does is a few µs. It takes 59 calls of Python (1,416 bytecodes)"
    " for a `my_response`, 67 for an echo and 141 (3,270) for a `led`: rate, rights, JSON, namespace, room, queue, "
    "counters. No call takes more than 7 % of that, and half of a `led` is the light: gpiozero's pin, rules, state, "
    "event and audit trail, of which Node's server has none. What has helped is fewer steps: no task for what need "
    "not wait, no Quart, an event and its ack in one packet. mypyc was tried on the 20 modules of the way that it can"
    " compile: a `led` then takes 303,000 instructions and not 346,000 (12 % fewer). Modules with classes of "
    "python-socketio's, or with slots in dataclasses, did not compile, or crashed. For that, each Python on each Pi "
    "would need a wheel of its own, or a compiler."
)
FANOUT = (
    "The loop over the connections is the bare writer's, and most of both is the kernel's: `os.write` in place of "
    "uvloop's transport saves the bare writer 3 to 5 %, and a list of ready-made write functions saves the panel "
    "nothing. The bare writer itself takes 0.54 to 0.59 of Node's CPU here with 1,000 clients, and 0.71 to 0.73 with "
    "100. What one message takes before (above) is shared by all. The ratio moves by a tenth from run to run: see the"
    " smallest and the largest, and the other tables."
)
REST = (
    "A `GET /led` takes 103 calls of Python (3,099 bytecodes). uvicorn's `send`, which checks each of ten headers, has "
    "19 % of them, the rest of uvicorn 14 %, the view itself 2 %; what is between is who asks, limits, rights, the "
    "names of hosts, proxies, and the headers that keep other people's code out. The express handler has none of these."
)
PATCH = (
    "A change of a light is more than its request: it takes 253 calls of Python (6,540 bytecodes), and `GET /led` 103 "
    "(3,099). The rest is the light: reading and checking the command, the rules, gpiozero's pin, the state and its "
    "event, history and storage. The express handler sets a number. As Quart's views they took 424 and 694 µs in one "
    "process, where it is 56 and 154 now."
)
SETUP = (
    "332 calls of Python (7,461 bytecodes), of which none takes more than 3 %: the head of the request, who may "
    "connect, who it is, the places of its address, the session, its outbox, its first state. `ws` has no rules, no "
    "sessions and no state."
)
CROWD = (
    "All are let in. The longest pings are those when the crowd leaves: libuv reports in one turn of the loop all that "
    "have left, and asyncio calls `connection_lost` of each at once. The rest of their end is handled in small "
    "portions."
)
SLIDER = (
    "50 hands and 1,000 screens are about a hundred thousand deliveries a second, more than the core of the load "
    "takes: what is measured is the queue in front of both. See the moves a second of each below."
)
START = (
    "It is what it was before the work on the rows above (both started in turns, within their spread). Beside the "
    "four imports these are the panel's own modules, the pydantic models and the routes."
)
FRONT = (
    "A command through a front takes two hops by Redis, as it did when this was met. A panel alone takes a third of "
    "what it took then, so the ratio has grown."
)
