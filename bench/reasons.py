"""Why a target is not met, where it is not: what profiles have shown."""

LONE = (
    "A lone message wakes a sleeping process, so that what it runs is not in the caches of the processor: code "
    "that takes 25 µs in a loop of its own takes 140 after a wait. By `perf record` two thirds of that is "
    "Python's evaluation loop, over some 140 calls for a message and 250 for a `led`; Node's compiled code has an "
    "eighth of the instructions (below). The bare uvloop writer, which does nothing but read a frame and write "
    "ready bytes, takes 0.55 to 0.9 of Node's CPU already. What has helped is fewer steps: no task for what need "
    "not wait, an event and its answer in one packet, no Quart. In a loop, a `led` takes 22 µs for gpiozero's "
    "pin, 13 for the rules, 13 for the state, 10 for the event and 7 for the audit trail, of some 80. Node's "
    "server has none of these."
)
FANOUT = (
    "The loop over the connections is the bare writer's: a write of ready bytes to each transport, or, where "
    "something waits already, a call of its outbox. What a `led` takes before (above) is shared by all. The ratio "
    "moves by a third from round to round, as the caches do: see the smallest and the largest."
)
PATCH = (
    "A change of a light is more than its request: in one process without sockets `GET /lights/led` takes 41 µs, "
    "and `PATCH` 154. The rest is the light: reading and checking the command, the rules, gpiozero's pin, the "
    "state and its event, history and storage. The express handler sets a number. As a Quart view both took 350 "
    "to 650 µs more."
)
SETUP = (
    "By cProfile no function takes more than 4 % of it: some 500 small calls of Python, for the head of the "
    "request, who may connect, who it is, the places of its address, the session, its outbox, its first state, "
    "and the end of all that. `ws` has no rules, no sessions and no state."
)
CROWD = (
    "All are let in, and while they come, pings take 30 to 60 ms at most. The longest are those when the crowd "
    "leaves: libuv reports in one turn of the loop all that have left, and asyncio calls `connection_lost` of "
    "each at once, 11 µs each. The rest of their end is handled in small portions."
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
    "The front takes what it took when this was met: 1.4 ms, for two hops by Redis. A panel alone takes a third of "
    "what it took then, so the ratio has grown."
)
