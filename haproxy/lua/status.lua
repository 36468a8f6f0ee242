-- What users are told of themselves: http://ip.sallyport/status, and the refusals that it shows.
--
-- The last refusals are kept in variables of the process, for each thread has a Lua of its own: some users share one, by a hash, and a line
-- says whose it is. Targets are not kept. They are forgotten with the worker.

local routing = require("routing")
local users = require("users")

local M = {}

local quotas = Map.new(os.getenv("SALLYPORT_QUOTAS_MAP"), Map._str)

-- Refusals of a user, lines of a variable, variables.
local SHOWN, KEPT, PLACES = 10, 20, 0xFFF

-- What a target, and not its exit or the gateway, is the cause of.
local OF_TARGETS = { dns_failed = true, target_refused = true, target_unreachable = true, target_bad_answer = true, target_timeout = true }

local function time(seconds) return os.date("!%Y-%m-%dT%H:%M:%SZ", seconds) end

-- A later user of the same name has another account.
local function account_of(user)
  local policy = users.policy(user)
  return policy and (policy.account or user)
end

local function place_of(txn, account)
  return "proc.refused_" .. (txn.c:xxh32(account) & PLACES)
end

-- "gateway", "exit" or "target".
local function source_of(txn, reason)
  if OF_TARGETS[reason] then return "target" end
  -- By then an exit has spoken.
  local is_answered = reason == "exit_failed" or txn:get_var("txn.answered") or txn:get_var("txn.tunnel")
  return is_answered and "exit" or "gateway"
end

-- Notes why a user's request is refused: "account seconds source reason country count". The same again counts as one, of the last time.
-- Sets txn.noted. HAProxy calls no Lua for an answer that Lua gives: who gives one calls this first.
function M.note(txn)
  local account, reason = account_of(txn:get_var("txn.user") or ""), txn:get_var("txn.reason")
  if txn:get_var("txn.noted") or not account or not reason then return true end
  txn:set_var("txn.noted", true)
  local place = place_of(txn, account)
  local country = txn:get_var("txn.served_country") or txn:get_var("txn.country") or "-"
  local what, count, lines = source_of(txn, reason) .. " " .. reason .. " " .. country, 1, {}
  for line in (txn:get_var(place) or ""):gmatch("[^\n]+") do
    local owner, same, times = line:match("^(%S+) %d+ (%S+ %S+ %S+) (%d+)$")
    if owner == account and same == what then
      count = math.min(tonumber(times) + 1, 999999999)
    elseif #lines < KEPT - 1 then
      lines[#lines + 1] = line
    end
  end
  table.insert(lines, 1, table.concat({ account, os.time(), what, count }, " "))
  txn:set_var(place, table.concat(lines, "\n"))
  return true
end

core.register_fetches("note_refusal", M.note)

-- The user's last refusals as JSON, the latest first.
local function refusals_of(txn, account)
  local list = {}
  for line in (txn:get_var(place_of(txn, account)) or ""):gmatch("[^\n]+") do
    local owner, seconds, source, reason, country, count = line:match("^(%S+) (%d+) (%S+) (%S+) (%S+) (%d+)$")
    if owner == account and #list < SHOWN then
      list[#list + 1] = ('{"at": "%s", "source": "%s", "reason": "%s", "country": %s, "count": %s}'):format(
        time(tonumber(seconds)), source, reason, country == "-" and "null" or routing.quoted(country:upper()), count)
    end
  end
  return "[" .. table.concat(list, ", ") .. "]"
end

-- When a day's or a month's quota begins anew, in UTC; nil for one that does not.
local function reset_of(period)
  local now = os.date("!*t")
  local midnight = os.time() - (now.hour * 3600 + now.min * 60 + now.sec)
  if period == "day" then return midnight + 86400 end
  if period ~= "month" then return nil end
  local days = os.date("!*t", midnight + (32 - now.day) * 86400 + 43200).day
  return midnight + (32 - now.day - days + 1) * 86400
end

-- What the controller has told of a user's quotas, "day:1000:523,total:5000:900": limit and use in bytes. "*" has when it last told anything.
local function quota_of(user)
  local list = {}
  for period, limit, used in (quotas:lookup(user) or ""):gmatch("(%l+):(%d+):(%d+)") do
    local left, reset = math.max(0, tonumber(limit) - tonumber(used)), reset_of(period)
    list[#list + 1] = ('"%s": {"limit": %s, "used": %s, "left": %d, "resets_at": %s}'):format(
      period, limit, used, left, reset and '"' .. time(reset) .. '"' or "null")
  end
  if #list == 0 then return "null" end
  local told = tonumber(quotas:lookup("*") or "")
  list[#list + 1] = '"as_of": ' .. (told and '"' .. time(told) .. '"' or "null")
  return "{" .. table.concat(list, ", ") .. "}"
end

-- The fields of the session that the user's name has: it, its exit, its address, seconds.
local function session_of(txn, policy)
  local session, key = txn:get_var("txn.session"), txn:get_var("txn.session_key")
  local left = key and (tonumber(txn.c:table_gpt(key, 0, "sessions")) or 0) - os.time() or 0
  if left <= 0 then return session, nil, nil, nil end
  local id, address = routing.exit_of(txn, policy, tonumber(txn.c:table_gpt(key, 1, "sessions")) or 0)
  return session, id, address, left
end

local function text_or_null(text) return text and text ~= "" and routing.quoted(text) or "null" end

-- Sets txn.own_status: what the user's name stands for now, as JSON.
local function tell_status(txn)
  local user = txn:get_var("txn.user")
  local policy = users.policy(user)
  if not policy then return end
  local country, session, exit, address, left = txn:get_var("txn.country"), session_of(txn, policy)
  local connections = (tonumber(txn.c:table_conn_cur(user, "users")) or 0) + users.held_elsewhere(user)
  local fields = {
    '"user": ' .. routing.quoted(user), '"protocol": ' .. routing.quoted(txn:get_var("sess.protocol") or ""),
    '"country": ' .. text_or_null(country and country:upper()), '"exit": ' .. text_or_null(exit), '"address": ' .. text_or_null(address),
    '"session": ' .. text_or_null(session), '"session_seconds_left": ' .. (left and ("%d"):format(left) or "null"),
    '"connections": ' .. ("%d"):format(connections), '"connection_limit": ' .. (policy.connections or "null"),
    '"refused": ' .. text_or_null(policy.blocked or txn:get_var("txn.refused") or txn:get_var("txn.reason")), '"quota": ' .. quota_of(user),
    '"refusals": ' .. refusals_of(txn, policy.account or user),
  }
  txn:set_var("txn.own_status", "{" .. table.concat(fields, ", ") .. "}")
end

core.register_action("tell_status", { "http-req" }, tell_status)

return M
