-- Through which exit? Countries, cities, sessions and fallbacks.
--
-- The map of pools has "us backend=pool-us;fallback=ca,gb;slots=s1:4711:100:400:newyork,s3:815:80:600:dallas" with the slots that
-- take connections: name, number of the exit, weight, milliseconds until it may be taken for silent, city. "any" has "countries=us,gb"; a country without a pool "none".
-- "six=s1" are slots whose exits' tunnels carry IPv6: a target that is an IPv6 address leaves by these alone.
-- "open=s1" are slots whose exits an earlier version started: they ask for no secret, and would hand one on to the target.
-- "spread=round_robin" stands where the pool's exits are taken in turn, "demand=1" where a request may ask for an exit: demands.lua.
-- "servers=none" is a country that could be asked for, if it had a server; "servers=unknown" one of which no list says yet whether it has.

local users = require("users")

local M = {}

-- The end of a session that the controller wants moved.
local MOVING = 1

local pools = Map.new(os.getenv("SALLYPORT_POOLS_MAP"), Map._str)
local secrets = Map.new(os.getenv("SALLYPORT_SECRETS_MAP"), Map._str)
local exits = Map.new(os.getenv("SALLYPORT_EXITS_MAP"), Map._str)

local function fields_of(text)
  local fields = {}
  for key, value in (text or ""):gmatch("(%a+)=([^;]*)") do fields[key] = value end
  return fields
end

local function list_of(text)
  local list = {}
  for item in (text or ""):gmatch("[^,]+") do list[#list + 1] = item end
  return list
end

local function set_of(text)
  local set = {}
  for _, item in ipairs(list_of(text)) do set[item] = true end
  return set
end

-- The slots of these countries that take connections, in the wanted city.
-- @param txn the request that they are for, which may need IPv6; nil for none.
-- @param kind "slots", or "standbys": those that are proved and wait.
local function slots_of(txn, countries, city, kind)
  local slots, needs_six = {}, txn and txn:get_var("txn.six")
  for _, country in ipairs(countries) do
    local pool = fields_of(pools:lookup(country))
    local open, six = set_of(pool.open), needs_six and set_of(pool.six)
    for slot, exit, weight, silence, place in (pool[kind or "slots"] or ""):gmatch("(%w+):(%d+):(%d+):(%d+):([^,]*)") do
      if (not city or place == city) and (not six or six[slot]) then
        slots[#slots + 1] = {
          name = slot, exit = tonumber(exit), weight = tonumber(weight), silence = tonumber(silence), backend = pool.backend, country = country, city = city,
          is_standby = kind == "standbys", is_open = open[slot], is_fixed = pool.open ~= nil, in_turn = pool.spread == "round_robin",
        }
      end
    end
  end
  return slots
end

-- Counts the requests for a place, which takes its exits in turn: below count. The counters are the process's, for each thread has a
-- Lua of its own; there are so many that places seldom share one.
local function turn(txn, place, count)
  local name = "proc.turn_" .. (txn.c:xxh32(place) & 0xFFF)
  local number = tonumber(txn:get_var(name)) or 0
  txn:set_var(name, (number + 1) & 0xFFFFFFF)
  return number % count
end

-- A country's whole pool in place of a slot, for the pool's own strategy to choose: of several countries each in turn, as often as
-- it has exits. Nil if none takes connections, or if a pool has exits of both kinds.
local function pool_of(txn, countries)
  local found, sum = {}, 0
  for _, country in ipairs(countries) do
    local pool = fields_of(pools:lookup(country))
    if pool.open then return nil end
    local count = #list_of(pool.slots)
    if count > 0 then
      found[#found + 1] = { backend = pool.backend, country = country, count = count }
      sum = sum + count
    end
  end
  if #found < 2 then return found[1] end
  local point = turn(txn, table.concat(countries, ","), sum)
  for _, pool in ipairs(found) do
    point = point - pool.count
    if point < 0 then return pool end
  end
end

-- What the exit is to know the request by: a certain exit alone, any one of the wanted city, or any one of the country. Another
-- try may take another exit of the same place, and no exit of another place takes it.
local function secret_of(slot)
  if slot.is_open then return nil end
  if slot.is_fixed then return secrets:lookup(tostring(slot.exit)) end
  return secrets:lookup(slot.city and slot.country .. "/" .. slot.city or slot.country)
end

-- One after the other where all pools want that, else a share of the whole by weight.
local function any_of(txn, slots, place)
  local sum, in_turn = 0, true
  for _, slot in ipairs(slots) do
    sum, in_turn = sum + slot.weight, in_turn and slot.in_turn
  end
  if in_turn then return slots[turn(txn, place, #slots) + 1] end
  local point = math.random() * sum
  for _, slot in ipairs(slots) do
    point = point - slot.weight
    if point <= 0 then return slot end
  end
  return slots[#slots]
end

-- The slot that this key always leads to, as long as it is there (weighted rendezvous hashing): the connections that
-- begin a session at the same moment all take it, without knowing of each other.
local function slot_for(txn, key, slots)
  local best, best_score = nil, nil
  for _, slot in ipairs(slots) do
    local hash = ((txn.c:xxh32(key .. "/" .. slot.exit) & 0xFFFFFFFF) + 0.5) / 4294967296.0
    local score = -slot.weight / math.log(hash)
    if not best or score > best_score then best, best_score = slot, score end
  end
  return best
end

local function with_number(slots, number)
  for _, slot in ipairs(slots) do
    if slot.exit == number then return slot end
  end
  return nil
end

-- The countries of the list that the user may use.
local function allowed(list, policy)
  if not policy.countries then return list end
  local right, kept = {}, {}
  for _, country in ipairs(list_of(policy.countries)) do right[country] = true end
  for _, country in ipairs(list) do
    if right[country] then kept[#kept + 1] = country end
  end
  return kept
end

-- What to fall back to, in order: the user's own chain, else the first pool's.
local function fallbacks(wanted, policy)
  if policy.fallback then return list_of(policy.fallback) end
  return list_of(fields_of(pools:lookup(wanted[1] or "")).fallback)
end

-- A pool without the slot that was drawn of it, for its own strategy to choose.
local function pool_part(slot)
  return { backend = slot.backend, country = slot.country }
end

-- Connections of an exit: those of its pool, and the tunnels that are no HTTP.
local function connections_of(txn, slot)
  return txn.sf:srv_conn(slot.backend .. "/" .. slot.name) + txn.sf:srv_conn("tunnels/" .. slot.backend .. "." .. slot.name)
end

-- By how much each carries for its weight, or in turn where all pools want that.
local function in_order(txn, slots)
  if #slots < 2 then return slots end
  local in_turn, load = true, {}
  for _, slot in ipairs(slots) do
    in_turn = in_turn and slot.in_turn
    load[slot] = (connections_of(txn, slot) + math.random()) / slot.weight
  end
  if not in_turn then
    table.sort(slots, function(one, other) return load[one] < load[other] end)
    return slots
  end
  local first, turned = turn(txn, slots[1].backend, #slots), {}
  for index = 1, #slots do turned[index] = slots[(first + index - 1) % #slots + 1] end
  return turned
end

-- Goes through the exits that may be tried, each once: the one that was chosen, the others of the same place, its standbys, then those
-- of the countries that are fallen back to.
local function exits_from(txn, chosen, others, chain)
  local function part(number)
    if number == 1 then
      local slots = in_order(txn, chosen.name and others or slots_of(txn, { chosen.country }, nil))
      if chosen.name then table.insert(slots, 1, chosen) end
      return slots
    end
    local country = number == 2 and chosen.country or chain[number - 2]
    if number == 2 then return slots_of(txn, { country }, chosen.city, "standbys") end
    return country ~= chosen.country and country and in_order(txn, slots_of(txn, { country }, nil)) or country and {}
  end

  local number, slots, index, seen = 1, part(1), 0, {}
  return function()
    while slots do
      index = index + 1
      local slot = slots[index]
      if not slot then
        number, index = number + 1, 0
        slots = part(number)
      elseif not slot.is_fixed and not seen[slot.exit] then
        seen[slot.exit] = true
        return slot
      end
    end
  end
end

-- Goes through one slot.
local function only(slot)
  return function()
    local taken = slot
    slot = nil
    return taken
  end
end

-- The exits besides one, for a session that is to leave it; all of them where there is no other.
local function besides(slots, number)
  local others = {}
  for _, slot in ipairs(slots) do
    if slot.exit ~= number then others[#others + 1] = slot end
  end
  return #others > 0 and others or slots
end

-- Why a session that was to move has not; nil where it has.
-- @param kept the number of the exit that it had, 0 for none.
local function reason_to_stay(txn, kept, slot)
  if not txn:get_var("txn.session_key") then return "no session: each connection may take another exit anyway, a name like alice-country-us-session-a1 begins one" end
  if kept == 0 then return "the session begins with this request" end
  return kept == slot.exit and "no other exit serves" or nil
end

-- A text as JSON, without any character that would have to be escaped.
function M.quoted(text) return '"' .. text:gsub('[^%w%s._:,/-]', "") .. '"' end

local quoted = M.quoted

-- What exits.map has of a slot: name, address, its country, city.
local function words_of(slot)
  return (exits:lookup(slot.backend .. "/" .. slot.name) or "?;;;"):match("^([^;]*);([^;]*);([^;]*);([^;]*)$")
end

-- What the check page says, as JSON. All of it is ours, or was checked to be letters, digits, "_" and ".".
-- @param kept the number of the exit that the session had, 0 for none.
local function page_of(txn, slot, kept)
  local id, address, country, city = words_of(slot)
  local fields = {
    '"exit": ' .. quoted(id or "?"), '"country": ' .. quoted(slot.country:upper()), '"address": ' .. quoted(address or ""),
    '"address_country": ' .. quoted(country or ""), '"city": ' .. quoted((city or ""):gsub("_", " ")),
    '"user": ' .. quoted(txn:get_var("txn.user")), '"protocol": ' .. quoted(txn:get_var("sess.protocol") or ""),
  }
  local session = txn:get_var("txn.session")
  fields[#fields + 1] = '"session": ' .. (session and quoted(session) or "null")
  local seconds = session and math.max(0, txn:get_var("txn.session_until") - os.time())
  fields[#fields + 1] = '"session_seconds_left": ' .. (seconds and tostring(seconds) or "null")
  if txn:get_var("txn.rotate") then
    local advice = reason_to_stay(txn, kept, slot)
    fields[#fields + 1] = '"rotated": ' .. tostring(not advice)
    if advice then fields[#fields + 1] = '"advice": ' .. quoted(advice) end
  end
  return "{" .. table.concat(fields, ", ") .. "}"
end

-- The countries that are asked for by name, or those of "any".
local function wanted_of(asked)
  return asked[1] == "any" and list_of(fields_of(pools:lookup("any")).countries) or asked
end

-- Name and address of the exit that a user's session has, by its number; nil where it does not serve.
function M.exit_of(txn, policy, number)
  local wanted = wanted_of(list_of(txn:get_var("txn.country")))
  local slot = with_number(slots_of(nil, wanted, nil), number) or with_number(slots_of(nil, allowed(fallbacks(wanted, policy), policy), nil), number)
  if slot then return words_of(slot) end
end

-- Whether an exit is being started for what a request asks for.
function M.is_coming(txn)
  for _, country in ipairs(list_of(txn:get_var("txn.country"))) do
    if fields_of(pools:lookup(country)).coming then return true end
  end
  return false
end

-- What nobody serves: countries that have no server at all, or of which that is not known yet, or others. Nobody is held for a list: it
-- brings backends, and with them another worker.
local function lack_of(list)
  for _, country in ipairs(list) do
    local servers = fields_of(pools:lookup(country)).servers
    if servers ~= "none" then return servers == "unknown" and "starting" or "no_exit" end
  end
  return #list > 0 and "no_server" or "no_exit"
end

-- The first country of a list that a request may ask an exit for.
local function on_demand(list)
  for _, country in ipairs(list) do
    if fields_of(pools:lookup(country)).demand then return country end
  end
end

-- Whether these countries have exits, of whatever kind.
local function has_exits(list)
  return #slots_of(nil, list, nil) > 0 or #slots_of(nil, list, nil, "standbys") > 0
end

-- The country that a request may ask an exit for, where none of those that it names has one. Nil too once that has come to nothing.
function M.closed_country(txn)
  if txn:get_var("txn.demand_over") then return nil end
  local list = list_of(txn:get_var("txn.country"))
  if has_exits(list) then return nil end
  return on_demand(list)
end

-- Sets txn.pool, txn.secret, and txn.slot where it must be a certain one, txn.fixed where no other will do; or txn.reason. What else
-- could be taken is left for the rule that follows.
function M.route(txn)
  local function refuse(reason) txn:set_var("txn.reason", reason) end

  local policy = users.policy(txn:get_var("txn.user"))
  if not policy then return refuse("authentication_failed") end
  local city = txn:get_var("txn.city")
  local asked = list_of(txn:get_var("txn.country"))
  local wanted = wanted_of(asked)
  for _, country in ipairs(wanted) do
    if not pools:lookup(country) then return refuse("country_unknown") end
  end
  local permitted = allowed(wanted, policy)
  if #permitted < #wanted and (asked[1] ~= "any" or #permitted == 0) then return refuse("country_not_allowed") end
  wanted = permitted

  local key, now = txn:get_var("txn.session_key"), os.time()
  local since = key and tonumber(txn:get_var("txn.session_until")) or 0
  local kept = key and tonumber(txn:get_var("txn.session_exit")) or 0
  -- Without a session, a city or an IPv6 address the pool's own strategy chooses the slot, also of a pool that is fallen back to.
  local needs_six = txn:get_var("txn.six")
  local is_free = not key and not city and not needs_six and not txn:get_var("txn.check")
  local slot = is_free and pool_of(txn, wanted) or nil
  local slots = slot and {} or slots_of(txn, wanted, city)
  local chain = slot and {} or allowed(fallbacks(wanted, policy), policy)
  -- The country itself can be opened: others are for when that has come to nothing.
  if asked[1] ~= "any" and not txn:get_var("txn.demand_over") and on_demand(wanted) then chain = {} end

  if key then
    if kept ~= 0 and (since == MOVING or since > now and txn:get_var("txn.rotate")) then
      slots, since = besides(slots, kept), now + txn:get_var("txn.session_seconds")
      txn:set_var("txn.session_until", since)
    elseif kept ~= 0 and since > now then
      slot = with_number(slots, kept) or with_number(slots_of(txn, chain, nil), kept)
      -- A session stays where it is.
      local stays = needs_six and not slot and (with_number(slots_of(nil, wanted, city), kept) or with_number(slots_of(nil, chain, nil), kept))
      if stays then return refuse("address_not_supported") end
      if not slot and txn:get_var("txn.hard") then return refuse("session_exit_gone") end
    else
      txn:set_var("txn.session_until", now + txn:get_var("txn.session_seconds"))
      kept = 0
    end
  end
  if not slot and #slots == 0 then slots = slots_of(txn, wanted, city, "standbys") end
  -- Another country is for when this one has no exit.
  if needs_six and not slot and #slots == 0 and has_exits(wanted) then return refuse("address_not_supported") end
  for _, country in ipairs(chain) do
    if slot or #slots > 0 then break end
    slot = is_free and pool_of(txn, { country }) or nil
    slots = slot and {} or slots_of(txn, { country }, nil)
  end
  if not slot and #slots == 0 then return refuse(city and #slots_of(txn, wanted, nil) > 0 and "no_exit_in_city" or lack_of(wanted)) end

  if not slot then slot = key and slot_for(txn, key .. "/" .. since, slots) or any_of(txn, slots, table.concat(wanted, ",") .. "/" .. (city or "")) end
  if txn:get_var("txn.hard") then slot.is_fixed = true end

  local function take(taken)
    if key then txn:set_var("txn.session_exit", taken.exit) end
    txn:set_var("txn.pool", taken.backend)
    txn:set_var("txn.served_country", taken.country)
    -- A later user of the same name has another account.
    txn:set_var("txn.usage_key", (policy.account or txn:get_var("txn.user")) .. "/" .. taken.country)
    if taken.name then txn:set_var("txn.slot", taken.name) end
    if taken.is_standby then txn:set_var("txn.standby", true) end
    local secret = secret_of(taken)
    if secret then txn:set_var("txn.secret", secret) end
    if txn:get_var("txn.check") then txn:set_var("txn.page", page_of(txn, taken, kept)) end
  end

  -- Where a pool has both kinds of exits, what is sent fits only the one that it was made for.
  if slot.is_fixed then txn:set_var("txn.fixed", true) end
  take(is_free and not slot.is_fixed and not slot.is_standby and pool_part(slot) or slot)
  -- A tunnel by HTTP that may not move is made by its CONNECT. What needs an exit of this version, and a SOCKS5 client's, has to ask.
  local must_ask = txn:get_var("txn.socks5") or txn:get_var("txn.upgrade") or txn:get_var("txn.expects")
  if txn:get_var("txn.check") or slot.is_fixed and not must_ask then return end
  local function exits() return slot.is_fixed and only(slot) or exits_from(txn, slot, slots, allowed(fallbacks(wanted, policy), policy)) end
  local is_alone = #(slot.name and slots or slots_of(txn, { slot.country })) < 2
  txn:set_priv({ take = take, secret = secret_of, exits = exits, is_fixed = slot.is_fixed, is_alone = is_alone })
end

core.register_action("route", { "http-req", "tcp-req" }, M.route)

return M
