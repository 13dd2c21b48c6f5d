"""The Lua scripts that Redis runs, each atomic, and the keys that they use."""

from __future__ import annotations

PREFIX = "pilotlight:{home}:"  # the braces put all keys into one slot of a Redis cluster
META, EVENTS, STATE, OWNERS = KEYS = tuple(PREFIX + name for name in ("meta", "events", "state", "owners"))
ASK, REPLY = PREFIX + "ask:", PREFIX + "reply:"  # channels: of a node, of a process
KEEPER, GUEST = PREFIX + "keeper", PREFIX + "guest:"  # channels: of the keeper, of a process that it serves
SECRETS = PREFIX + "secrets"  # the sign-ins of the home, and the channel for what is new
KEEPER_ALONE = "*"  # the name under which a keeper without lights holds its lease

KEPT = 4096  # events in the stream, at least
LEASE = 6.0  # seconds for which a node owns its name, from each beat
BEAT = 2.0  # seconds between two beats

# Each script begins with this. KEYS: meta, events, state, owners.
_COMMON = f"""
local function keep(field, state)
  if state == '' then redis.call('HDEL', KEYS[3], field) elseif state then redis.call('HSET', KEYS[3], field, state) end
end

local function number(event, light, state)
  local rev = redis.call('HINCRBY', KEYS[1], 'rev', 1)
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', {KEPT}, rev .. '-1', 'e', event)
  keep(light, state)
  return rev
end

local function milliseconds()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function read(text)  -- nil where it is no JSON object
  local fine, value = pcall(cjson.decode, text)
  return fine and type(value) == 'table' and value or nil
end

local function lights_of(node)
  local found = {{}}
  for _, light in ipairs(redis.call('HKEYS', KEYS[3])) do
    if string.sub(light, 1, #node + 1) == node .. '.' then found[#found + 1] = light end
  end
  return found
end

local function take_offline(node, reason)
  for _, id in ipairs(lights_of(node)) do
    local light = read(redis.call('HGET', KEYS[3], id))
    if not light then
      redis.call('HDEL', KEYS[3], id)
    elseif type(light.away_since) ~= 'number' then  -- also one whose pin had a fault before
      local at = milliseconds() / 1000
      light.online, light.reason, light.transition, light.away_since = false, reason, cjson.null, at
      local by = {{name = 'hardware', via = 'pin'}}
      local event = {{event = 'light_changed', light = id, by = by, at = at, state = light}}
      number(cjson.encode(event), id, cjson.encode(light))
    end
  end
end

local function take_away(name, record, reason)
  take_offline(name, reason)
  if record.keeper then
    local storage = {{kept = false, reason = reason}}
    number(cjson.encode({{event = 'storage_changed', state = storage}}), 'storage', cjson.encode(storage))
  end
end

local function owner(node)
  local record = redis.call('HGET', KEYS[4], node)
  return record and read(record) or nil, record
end
"""

# ARGV: Redis' run id, an epoch to begin with, how many of the last events are wanted. Another run id means that Redis
# may have lost what it had, and an event behind the last revision that somebody else has written there.
JOIN = """
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'rev')
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if not meta[1] or meta[2] ~= ARGV[1] or last and last[1] ~= (meta[3] or '0') .. '-1' then
  redis.call('DEL', unpack(KEYS))
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'run_id', ARGV[1], 'rev', 0)
end
local now = redis.call('HMGET', KEYS[1], 'epoch', 'rev')
local events = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', ARGV[3])
return {now[1], tonumber(now[2]), redis.call('HGETALL', KEYS[3]), redis.call('TIME'), events}
"""

# ARGV: epoch, lease in ms, reason for the lights of a node that is away; node ('' for a process without lights),
# its record, its token, the token of an owner whose name it may take: its own before, or that of a dead process;
# one of its lights.
BEAT_SCRIPT = f"""{_COMMON}
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {{'epoch'}} end
local now, node = milliseconds(), ARGV[4]
local others = redis.call('HGETALL', KEYS[4])
for i = 1, #others, 2 do
  local other = read(others[i + 1])
  if not other or not other.until_ms or not other.pins or not other.address then
    redis.call('HDEL', KEYS[4], others[i])
  elseif other.until_ms < now and not (others[i] == node and other.token == ARGV[6]) then
    redis.call('HDEL', KEYS[4], others[i])
    local who = others[i] == '{KEEPER_ALONE}' and 'The keeper' or others[i]
    take_away(others[i], other, string.gsub(ARGV[3], '%%NODE%%', who) .. '')
  end
end
local claimed = 0
if node ~= '' then
  local mine, record = owner(node)
  if not mine or ARGV[8] ~= '' and redis.call('HEXISTS', KEYS[3], ARGV[8]) == 0 then claimed = 1 end
  if mine and mine.token ~= ARGV[6] and mine.token ~= ARGV[7] then return {{'held', record}} end
  local me = cjson.decode(ARGV[5])
  others = (#me.pins > 0 or me.keeper) and redis.call('HGETALL', KEYS[4]) or {{}}
  for i = 1, #others, 2 do
    local other = others[i] == node and {{pins = {{}}}} or cjson.decode(others[i + 1])
    if me.keeper and other.keeper then return {{'keeper', others[i + 1]}} end
    for _, theirs in ipairs(other.pins) do
      for _, ours in ipairs(me.pins) do
        if ours == theirs then return {{'pin', others[i + 1], ours}} end
      end
    end
  end
  me.until_ms = now + tonumber(ARGV[2])
  redis.call('HSET', KEYS[4], node, cjson.encode(me))
end
local keeper = ''
for _, record in ipairs(redis.call('HVALS', KEYS[4])) do
  if cjson.decode(record).keeper then keeper = record end
end
return {{'ok', redis.call('TIME'), claimed, keeper}}
"""

# ARGV: epoch, node, token, 1 if everybody must read the state again, how many events; then of each event: the field of
# the state, the text of the event ('': nobody is told), the state of that field after it ('': it is no more). Then of
# each command that is answered with them: the number of its event (1 is the first), the channel, its id as JSON.
COMMIT = f"""{_COMMON}
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {{'epoch'}} end
local mine = owner(ARGV[2])
if not mine or mine.token ~= ARGV[3] then return {{'fenced'}} end
local revs, answers = {{}}, 6 + 3 * tonumber(ARGV[5])
for i = 6, answers - 1, 3 do
  if ARGV[i + 1] == '' then
    keep(ARGV[i], ARGV[i + 2])
  else
    revs[i] = number(ARGV[i + 1], ARGV[i], ARGV[i + 2])
  end
end
for i = answers, #ARGV, 3 do
  local at = 3 + 3 * tonumber(ARGV[i])
  local answer = '{{"id":%s,"rev":%d,"epoch":"%s","light":%s,"event":%s}}'
  answer = string.format(answer, ARGV[i + 2], revs[at], ARGV[1], ARGV[at + 2], ARGV[at + 1])
  redis.call('PUBLISH', ARGV[i + 1], answer)
end
if ARGV[4] == '1' then number('{{"event":"resync"}}') end
return {{'ok', tonumber(redis.call('HGET', KEYS[1], 'rev'))}}
"""

# ARGV: epoch, node, token, reason.
LEAVE = f"""{_COMMON}
local mine = owner(ARGV[2])
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] or not mine or mine.token ~= ARGV[3] then return 0 end
redis.call('HDEL', KEYS[4], ARGV[2])
take_away(ARGV[2], mine, ARGV[4])
return 1
"""
