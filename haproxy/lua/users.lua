-- Who is it? Users, their passwords and their policies.

local addresses = require("addresses")
local guesses = require("guesses")
local parameters = require("parameters")
local pending = require("pending")

local users = Map.new(os.getenv("SALLYPORT_USERS_MAP"), Map._str)
local policies = Map.new(os.getenv("SALLYPORT_POLICIES_MAP"), Map._str)
local users_of_addresses = Map.new(os.getenv("SALLYPORT_ADDRESSES_MAP"), Map._ip)
local elsewhere = Map.new(os.getenv("SALLYPORT_ELSEWHERE_MAP"), Map._str)

local M = {}

local MAX_NAME = 256
local MAX_PASSWORD = 256

-- Stands in for an unknown user, so that the same work is done for a wrong name as for a wrong password.
local NOBODY = string.rep("0", 32) .. ":" .. string.rep("0", 64)

-- ------------------------------------------------------------------------------------------------ passwords

-- Compares two SHA-256 in hexadecimal, eight characters at a time, in a time that does not depend on what is in them.
local function equal(left, right)
  if #left ~= 64 or #right ~= 64 then return false end
  local a1, a2, a3, a4, a5, a6, a7, a8 = string.unpack("<i8i8i8i8i8i8i8i8", left)
  local b1, b2, b3, b4, b5, b6, b7, b8 = string.unpack("<i8i8i8i8i8i8i8i8", right)
  return (a1 ~ b1) | (a2 ~ b2) | (a3 ~ b3) | (a4 ~ b4) | (a5 ~ b5) | (a6 ~ b6) | (a7 ~ b7) | (a8 ~ b8) == 0
end

-- True if one of these "salt:hash[:expiry]" is of this password.
local function matches(txn, entries, password)
  local found = false
  for salt, hash, expiry in entries:gmatch("(%x+):(%x+):?(%d*)") do
    local digest = txn.c:hex(txn.c:sha2(salt .. ":" .. password, 256)):lower()
    local valid = expiry == "" or tonumber(expiry) > os.time()
    if equal(digest, hash) and valid then found = true end
  end
  return found
end

-- The part of a name before the first "-", and the rest.
function M.split_name(name)
  return name:match("^([^-]*)(.*)$")
end

local function is_name(text)
  return #text <= 32 and text:find("^[a-z0-9_.]+$") ~= nil
end

-- The user's part of a name that somebody gives, for the log; nil where it is none: it may be a password in the wrong field.
function M.offered(name)
  local user = M.split_name(name)
  return is_name(user) and user ~= "" and user or nil
end

-- True if the password is the user's, and the parameters that stood behind it in the password's field.
local function check_password(txn, user, password)
  if #password < 1 or #password > MAX_PASSWORD or password:find("[^\32-\126]") then return false end
  local entries = is_name(user) and users:lookup(user) or nil
  local found = matches(txn, entries or NOBODY, password)
  local bare, rest = parameters.split_password(password)
  if bare and not found then
    if matches(txn, entries or NOBODY, bare) and entries then return true, rest end
  end
  return found and entries ~= nil, ""
end

-- ------------------------------------------------------------------------------------------------- policies

-- The fields of "key=value;key=value", or nil for an unknown user.
function M.policy(user)
  local text = is_name(user) and policies:lookup(user)
  if not text then return nil end
  local fields = {}
  for key, value in text:gmatch("(%a+)=([^;]*)") do fields[key] = value end
  return fields
end

-- True if the address is in the user's list.
function M.has_address(policy, source)
  local bytes = addresses.parse(source)
  if not bytes or not policy.addresses then return false end
  for network in policy.addresses:gmatch("[^,]+") do
    if addresses.contains(network, bytes) then return true end
  end
  return false
end

-- True if the address stands for the password of this user.
function M.stands_for(user, source)
  local policy = M.policy(user)
  return policy ~= nil and policy.rule == "instead" and M.has_address(policy, source)
end

-- Nil if this is the user, by the password or the address, and the parameters that stood behind the password; else why it isn't known.
function M.identify(txn, user, password, source)
  if guesses.must_wait(txn, user) and not M.stands_for(user, source) then return "too_many_tries" end
  local right, side = check_password(txn, user, password)
  if not right and not M.stands_for(user, source) then return "authentication_failed" end
  return nil, side or ""
end

-- The user that this address stands for without a password, or nil.
function M.of_address(source)
  local user = users_of_addresses:lookup(source)
  local policy = user and M.policy(user)
  if policy and policy.rule == "instead" and M.has_address(policy, source) then return user end
  return nil
end

-- Why this user may not use the proxies now, from this address; nil if they may.
local function refusal(policy, source)
  if policy.disabled then return "user_disabled" end
  if policy.expires and tonumber(policy.expires) <= os.time() then return "user_expired" end
  if policy.blocked then return policy.blocked end
  if policy.addresses and policy.rule == "with" and not M.has_address(policy, source) then return "address_not_allowed" end
  return nil
end

-- How many connections a user has in workers that only finish theirs after a reload: "count:seconds", the second until
-- which that may be believed. The controller counts them; while it is away the number is forgotten.
function M.held_elsewhere(user)
  local count, last = (elsewhere:lookup(user) or ""):match("^(%d+):(%d+)$")
  return count and tonumber(last) > os.time() and tonumber(count) or 0
end

-- --------------------------------------------------------------------------------------------------- action

-- The bytes of base64 in either alphabet (RFC 4648, sections 4 and 5), with or without the signs that fill it up; nil where it is none.
local function decoded(txn, text)
  local digits = text:gsub("-", "+"):gsub("_", "/"):match("^([%w+/]+)=*$")
  if not digits or #digits % 4 == 1 then return nil end
  return txn.c:b64dec(digits .. string.rep("=", -#digits % 4))
end

-- The name, password and true from the header; or nil and the reason, which is nil where there is no header.
local function credentials(txn)
  local count = txn.f:req_fhdr_cnt("proxy-authorization")
  if count == 0 then return nil, nil end
  local header = txn.f:req_fhdr("proxy-authorization") or ""
  -- Some clients say it twice.
  for index = 1, count - 1 do
    if txn.f:req_fhdr("proxy-authorization", index) ~= header then return nil, "authentication_failed" end
  end
  if #header > 1024 then return nil, "authentication_failed" end
  local scheme, text = header:match("^(%a+)[ \t]+([%w+/_-]+=*)$")
  if not scheme or scheme:lower() ~= "basic" then return nil, "authentication_required" end
  local name, password = (decoded(txn, text) or ""):match("^([^:]*):(.*)$")
  if not name then return nil, "authentication_failed" end
  return name, password
end

-- The country that the entry stands for: a country port, or the name that TLS was asked for.
local function entry_country(txn)
  local entry = txn:get_var("sess.entry") or ""
  local listener, label = entry:match("^([%w-]*)/([%w-]*)")
  if not listener then return nil end
  local code = listener:match("^country%-(%a%a)$") or label:lower():match("^proxy%-(%a%a)$")
  if code then return { parameters.country(code) } end
  return (listener == "country-any" or label:lower() == "proxy-any") and { "any" } or nil
end

-- True if there is a control character in these lines other than tabs and what ends a line.
local function has_control(head)
  return head:find("[\0-\8\11\12\14-\31\127]") ~= nil or head:find("\r[^\n]") ~= nil or head:find("[^\r]\n") ~= nil
    or head:byte(1) == 10 or head:byte(-1) == 13
end

-- True if one of these names of headers, each with a colon behind it, has a character that is none of a token's (RFC 9110, 5.6.2).
local function has_bad_name(names)
  -- Nearly all have nothing but letters, digits and "-": the long list is slow.
  return names:find("[^%w:-]") ~= nil and names:find("[^%w:!#$%%&'*+.^_`|~-]") ~= nil
end

-- Who has this name and password, or without a name the user that the address stands for: { user, name, rest, side }, the last two with the
-- parameters behind the name and behind the password; or nil and the reason. Sets txn.name, and txn.origin the first time.
function M.know(txn, name, password)
  local source = txn.f:src() or ""
  if not name then
    local user = M.of_address(source)
    if not user then return nil, "authentication_required" end
    txn:set_var("txn.name", user)
    return { user = user, name = "", rest = "", side = "" }
  end
  local user, rest = M.split_name(name)
  txn:set_var("txn.name", M.offered(name) or "-")
  local reason, side = M.identify(txn, user, password, source)
  if reason then
    -- A JVM that was given no credentials sends the name of the account it runs under, without a password: nobody has claimed anything.
    local of_address = password == "" and M.of_address(source)
    if not of_address then return nil, reason end
    txn:set_var("txn.name", of_address)
    return { user = of_address, name = of_address, rest = "", side = "" }
  end
  if not txn:get_var("sess.origin") then
    -- Once for each connection.
    txn:set_var("sess.origin", true)
    txn:set_var("txn.origin", guesses.origin(txn, user))
  end
  return { user = user, name = name, rest = rest, side = side }
end

-- Sets txn.user and the variables of what they asked for, or txn.reason, on which the configuration refuses the
-- request; txn.tells where they may be told their status all the same, with txn.refused for what refuses the rest of a tunnel. Nothing
-- about a name is told to somebody who doesn't know its password.
-- @param is_bad whether the request is refused for its headers; nil where there are none.
function M.admit(txn, who, is_bad)
  local function refuse(reason) txn:set_var("txn.reason", reason) end

  local user, name, source = who.user, who.name, txn.f:src() or ""
  txn:set_var("txn.user", user)

  local policy = M.policy(user)
  if not policy then return refuse("authentication_failed") end
  local why, own = refusal(policy, source), txn:get_var("txn.self")
  -- Who has used up a quota may see that.
  local is_over = own and why and why:find("^quota_") ~= nil
  if why and not is_over then return refuse(why) end
  if is_bad and is_bad() then return refuse("bad_header") end
  if #name > MAX_NAME or name:find("[^%w_.,-]") then return refuse("bad_user_name") end
  local values, reason = parameters.read(who.rest, who.side)
  if not values then return refuse(reason) end
  -- They are told of themselves, whatever refuses them from here on; what else a tunnel is for is refused in it.
  if own then txn:set_var("txn.tells", own) end
  if own == "tunnel" then refuse = function(words) txn:set_var("txn.refused", words) end end

  local entry = entry_country(txn)
  if entry and values.country and table.concat(entry, ",") ~= table.concat(values.country, ",") then return refuse("country_conflict") end
  local list = values.country or entry
  -- Who may use one country only needn't name it.
  if not list and policy.countries and not policy.countries:find(",", 1, true) then list = { policy.countries } end
  if not list then return refuse("country_missing") end

  local session = values.session or values.hardsession
  txn:set_var("txn.country", table.concat(list, ","))
  if values.city then txn:set_var("txn.city", values.city) end
  if session then
    txn:set_var("txn.session", session)
    txn:set_var("txn.session_key", user .. "/" .. session .. "/" .. table.concat(list, ",") .. "/" .. (values.city or ""))
    txn:set_var("txn.session_seconds", (values.sesstime or 10) * 60)
  end
  if values.hardsession then txn:set_var("txn.hard", true) end
  if policy.connections then
    txn:set_var("txn.connection_limit", math.max(0, tonumber(policy.connections) - M.held_elsewhere(user)))
  end
  if policy.rate then txn:set_var("txn.rate_limit", tonumber(policy.rate)) end
  if is_over then refuse(why) end
end

-- Sets what `admit` sets, by the header.
local function authenticate(txn)
  local function refuse(reason) txn:set_var("txn.reason", reason) end

  pending.leave(txn)
  local name, password = credentials(txn)
  if not name and password then return refuse(password) end
  local who, reason = M.know(txn, name, password)
  if not who then return refuse(reason) end
  M.admit(txn, who, function()
    -- HAProxy lets some of these through, and where a NUL ends a line for an exit's proxy is not for the user to say.
    return has_control(txn.f:req_hdrs() or "") or has_bad_name(txn.f:req_hdr_names(":") or "")
  end)
end

core.register_action("authenticate", { "http-req" }, authenticate)

return M
