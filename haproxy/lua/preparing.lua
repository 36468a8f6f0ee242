-- A tunnel is tried at another exit before it fails; and a plain request that begins its client's connection and has only one exit.
--
-- An exit is asked to reach the target before the request goes there (the exits' own PREPARE). It answers with a ticket, by which the
-- request takes the connection that stands; with the target's own fault; or, where nothing at all comes through its tunnel, with
-- "exit_silent". An exit that is silent, or can't be reached, is left for the next one, and asked last where there is no other.
--
-- Requests with Expect or Upgrade are prepared too: only exits that know the question pass these on.

local counters = require("counters")
local demands = require("demands")
local routing = require("routing")

local CONNECT_SECONDS = 0.4    -- for the connection to an exit, in the same host's network
local GRACE_SECONDS = 0.3      -- that an exit may be late with its word
local ANSWER_SECONDS = 31      -- for an exit whose target is slow; it gives up after 30

-- Status and word of the next line, which an empty one follows; nil where the exit says nothing (in time), or is gone.
local function word(socket, seconds)
  socket:settimeout(seconds)
  local line = socket:receive("*l")
  if not line then return nil end
  local status, text = line:match("^HTTP/1%.%d (%d%d%d) ?([%w_]*)")
  socket:receive("*l")
  return tonumber(status) or 0, text
end

local function ticket_of(status, text)
  return status == 200 and text:match("^%d+$") or nil
end

-- Where HAProxy itself would lead to.
local function address_of(slot)
  local server = core.backends[slot.backend] and core.backends[slot.backend].servers[slot.name]
  local address, port = (server and server:get_addr() or ""):match("^(.*):(%d+)$")
  return address, tonumber(port)
end

-- What an exit has to say of a target: a ticket, or nothing but its status. "trouble" stands where it has nothing to say, "socket" while
-- it may still have an answer.
local function ask(txn, slot, target, secret)
  -- Its server is about to lead to another exit, or already does, and takes no request until that is settled.
  if txn.f:srv_is_up(slot.backend .. "/" .. slot.name) ~= 1 then return { trouble = "unreachable" } end
  local socket = core.tcp()
  socket:settimeout(CONNECT_SECONDS)
  local address, port = address_of(slot)
  if not port or not socket:connect(address, port) then return { trouble = "unreachable" } end
  local credential = secret and "Proxy-Authorization: Basic " .. secret .. "\r\n" or ""
  socket:send("PREPARE " .. target .. " HTTP/1.1\r\n" .. credential .. "X-Sallyport-Silence: " .. slot.silence .. "\r\n\r\n")
  local status, text = word(socket, slot.silence / 1000 + GRACE_SECONDS)
  if text == "target_slow" then status, text = word(socket, ANSWER_SECONDS) end
  if text == "exit_silent" then return { trouble = text, socket = socket } end
  socket:close()
  if not status then return { trouble = "no_answer" } end
  -- It is another exit than the one that is meant, which has got its address.
  if status == 401 or status == 407 then return { trouble = "unreachable" } end
  return { trouble = status == 503 and "exit_full" or nil, status = status, ticket = ticket_of(status, text) }
end

-- Exits that could not be reached or were silent, by their numbers: until when they are tried last, in seconds. Another generation has
-- another number. Each thread finds out for itself.
local troubled = {}
local TROUBLE_SECONDS = 5

local function note_trouble(slot)
  local now = core.now().sec
  for exit, till in pairs(troubled) do
    if till <= now then troubled[exit] = nil end
  end
  troubled[slot.exit] = now + TROUBLE_SECONDS
end

local function is_troubled(slot)
  local till = troubled[slot.exit]
  if not till then return false end
  local now = core.now().sec
  if till > now then return true end
  -- One request finds out whether it is over, and the others go on elsewhere.
  troubled[slot.exit] = now + TROUBLE_SECONDS
  return false
end

local function is_any_troubled()
  local now = core.now().sec
  for _, till in pairs(troubled) do
    if till > now then return true end
  end
  return false
end

local function milliseconds()
  local now = core.now()
  return now.sec * 1000 + now.usec // 1000
end

-- Milliseconds until a request that waits asks an exit again that could not be reached: it may have been plugged in a moment ago.
local AGAIN = 300

-- What has come of one request's tries; `tried` has until when each exit is not asked again.
local function new_tries()
  return { tried = {}, silent = {}, troubles = {}, found = nil, status = nil, ticket = nil }
end

local function try(txn, tries, slot, route, target)
  tries.tried[slot.exit] = math.huge
  local said = ask(txn, slot, target, route.secret(slot))
  if not said.trouble then
    troubled[slot.exit] = nil
    tries.found, tries.status, tries.ticket = slot, said.status, said.ticket
    return
  end
  note_trouble(slot)
  if not said.socket then tries.tried[slot.exit] = milliseconds() + AGAIN end
  tries.troubles[#tries.troubles + 1] = slot.backend .. "/" .. slot.name .. ":" .. said.trouble
  if said.socket then tries.silent[#tries.silent + 1] = { slot = slot, socket = said.socket } end
end

-- Tries the exits that were not tried yet until one answers; last those that were in trouble a moment ago.
local function try_new(txn, tries, route, target)
  local later = {}
  for slot in route.exits() do
    if tries.found then return end
    if (tries.tried[slot.exit] or 0) > milliseconds() then
      -- Nothing else came of it.
    elseif is_troubled(slot) then
      later[#later + 1] = slot
    else
      try(txn, tries, slot, route, target)
    end
  end
  for _, slot in ipairs(later) do
    if not tries.found then try(txn, tries, slot, route, target) end
  end
end

local HOLD_LIMIT = 1000

-- Milliseconds between two looks. HAProxy forgets a sleep of a TCP rule that was over before the rule had yielded, as where the process got no
-- processor for so long, and wakes the request only when its client goes: a longer one is forgotten more seldom.
local HOLD_PAUSE, HOLD_PAUSE_OF_TCP = 25, 100
local HOLD_SECONDS = tonumber(os.getenv("SALLYPORT_HOLD_SECONDS")) or 0

-- Requests of this thread that wait for an exit which is being started, by the second in which that began. One whose client goes away is
-- not told of: it counts for as long as it could have waited.
local held = {}

local function held_count()
  local count, first = 0, core.now().sec - HOLD_SECONDS - 1
  for second, number in pairs(held) do
    if second < first then held[second] = nil else count = count + number end
  end
  return count
end

local function add_held(second, number)
  local sum = (held[second] or 0) + number
  held[second] = sum > 0 and sum or nil
end

-- Waits a little, and routes anew.
local function pause(txn)
  core.msleep(txn:get_var("txn.socks5") and HOLD_PAUSE_OF_TCP or HOLD_PAUSE)
  txn:unset_var("txn.reason")
  txn:set_priv(nil)
  routing.route(txn)
end

-- What an exit is asked to reach, host:port. Nil for a plain request that HAProxy can try at another exit of its pool by itself, and for a
-- later one of its client's connection: the exit may have kept that to the target. While any exit is in trouble it is asked for all.
local function prepared_target(txn)
  local is_always = txn:get_var("txn.socks5") or txn.sf:method() == "CONNECT" or txn:get_var("txn.upgrade") or txn:get_var("txn.expects")
  if not is_always and not is_any_troubled() then
    local route = txn:get_priv()
    if txn:get_var("sess.prepared") or route and not route.is_alone then return nil end
    txn:set_var("sess.prepared", true)
  end
  return txn:get_var("txn.target")
end

-- Whether a request that nobody serves may wait: an exit is on its way, or was asked for, or may be when the controller is back. Where
-- it is refused, txn.reason says why.
local function may_wait(txn, reason)
  if not reason:find("^no_exit") then return false end
  if routing.is_coming(txn) then return true end
  local country = routing.closed_country(txn)
  if not country then return false end
  local refusal = demands.ask(txn:get_var("txn.user"), country)
  if refusal then txn:set_var("txn.reason", refusal) end
  return not refusal
end

-- Where no exit of the country itself comes, others that are fallen back to count after all. False where there is none.
local function fall_back(txn)
  local reason = txn:get_var("txn.reason")
  if not reason or not routing.closed_country(txn) then return false end
  txn:set_var("txn.demand_over", true)
  txn:unset_var("txn.reason")
  txn:set_priv(nil)
  routing.route(txn)
  if not txn:get_var("txn.reason") then return true end
  txn:set_var("txn.reason", reason)
  return false
end

-- Tries what there is, and what comes while a request may wait.
local function settle(txn, tries, target)
  local start, since = milliseconds(), nil
  while true do
    local route, reason = txn:get_priv(), txn:get_var("txn.reason")
    if not reason and not (route and target) then break end
    if not reason then try_new(txn, tries, route, target) end
    if tries.found or not reason and route and route.is_fixed then break end
    local waits = not reason or may_wait(txn, reason)
    if waits and (milliseconds() - start >= 1000 * HOLD_SECONDS or not since and held_count() >= HOLD_LIMIT) then waits = false end
    if waits then
      if not since then
        since = core.now().sec
        add_held(since, 1)
        counters.add(txn, "held", 1)
      end
      pause(txn)
    elseif not fall_back(txn) then
      break
    end
  end
  if since then
    add_held(since, -1)
    txn:set_var("txn.held_ms", milliseconds() - start)
  end
end

-- Where all others are silent or gone, what the first one says after all counts.
local function wait_for_silent(tries)
  local first = tries.silent[1]
  if not tries.found and first then
    local status, text = word(first.socket, ANSWER_SECONDS)
    if status then tries.found, tries.status, tries.ticket = first.slot, status, ticket_of(status, text) end
  end
end

-- What is told of the tries: a number for the controller, and the first few of them for the access log.
local SHOWN = 5

local function tell(txn, tries)
  local count = #tries.troubles
  if count == 0 then return end
  counters.add(txn, "retries", count)
  local more = count > SHOWN and ",+" .. count - SHOWN or ""
  txn:set_var("txn.tried", table.concat(tries.troubles, ",", 1, math.min(count, SHOWN)) .. more)
end

-- An exit of the version before answers 400 to the question, and passes on neither Expect nor Upgrade. The gateway answers an Expect for
-- it, and refuses an Upgrade.
local function judge_exit(txn, tries)
  local upgrade = txn:get_var("txn.upgrade")
  if tries.status ~= 400 then txn:set_var("txn.exit_passes", true) elseif upgrade then txn:set_var("txn.reason", upgrade) end
end

-- Sees to it that a request leaves through an exit that works: sets txn.ticket where a connection to its target stands at the exit that the
-- route leads through now; txn.exit_passes where that exit passes Expect and Upgrade on; txn.reason where there is no exit;
-- txn.prepared at its end.
local function prepare(txn)
  local tries, target = new_tries(), prepared_target(txn)
  settle(txn, tries, target)
  local route, is_refused = txn:get_priv(), txn:get_var("txn.reason")
  if not is_refused then wait_for_silent(tries) end
  for _, one in ipairs(tries.silent) do one.socket:close() end
  if tries.found and route then route.take(tries.found) end
  -- What HAProxy would say to an HTTP client, it has no way to say by SOCKS5.
  if not tries.found and txn:get_var("txn.socks5") and not is_refused then txn:set_var("txn.reason", "exit_failed") end
  if tries.ticket then txn:set_var("txn.ticket", tries.ticket) end
  if target and not is_refused then judge_exit(txn, tries) end
  tell(txn, tries)
  txn:set_priv(nil)
  txn:set_var("txn.prepared", true)
end

core.register_action("prepare", { "http-req", "tcp-req" }, prepare)
