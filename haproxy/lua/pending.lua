-- Connections on which nobody has authenticated yet, by their source: one address, or an IPv6 network of 64 bits.
--
-- A connection counts from its first moment until its head or handshake was judged. One that ends before that is not told of: it counts
-- for as long as it could have lasted. Each thread counts its own connections, and has its part of the limit: HAProxy spreads
-- connections over its threads, and one that is on a thread stays there.

local M = {}

-- Seconds after which no connection is still unjudged: for its first byte it has 10, for the rest of its head another 10.
local LIFE = 20

local limit = nil    -- of one thread

local totals = {}    -- by source
local arrivals = {}  -- by second and source
local latest = 0

-- The second that it is, of a clock that does not go back here; what has come too long ago is forgotten.
local function advance()
  local now = math.max(latest, core.now().sec)
  if now == latest then return now end
  for second, sources in pairs(arrivals) do
    if second <= now - LIFE then
      for source, count in pairs(sources) do
        local rest = totals[source] - count
        totals[source] = rest > 0 and rest or nil
      end
      arrivals[second] = nil
    end
  end
  latest = now
  return now
end

-- The number of threads is known when HAProxy runs.
local function part_of_limit()
  local whole = tonumber(os.getenv("SALLYPORT_PENDING_LIMIT"))
  return math.ceil(whole / math.max(1, tonumber(core.get_info()["Nbthread"]) or 1))
end

-- Counts a connection, or sets txn.reason where its source has too many.
local function enter(txn)
  local source = txn:get_var("sess.source") or ""
  local second = advance()
  local total = totals[source] or 0
  limit = limit or part_of_limit()
  if total >= limit then return txn:set_var("txn.reason", "pending_limit") end
  local sources = arrivals[second] or {}
  arrivals[second] = sources
  sources[source] = (sources[source] or 0) + 1
  totals[source] = total + 1
  txn:set_var("sess.pending", second)
end

-- A connection whose head or handshake was judged, whatever came of it.
function M.leave(txn)
  local second = txn:get_var("sess.pending")
  if not second then return end
  txn:unset_var("sess.pending")
  local source = txn:get_var("sess.source") or ""
  local sources = arrivals[second]
  if not sources or not sources[source] then return end
  sources[source] = sources[source] > 1 and sources[source] - 1 or nil
  totals[source] = totals[source] > 1 and totals[source] - 1 or nil
end

core.register_action("enter", { "tcp-req" }, enter)

return M
