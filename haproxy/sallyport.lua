-- Proxy users and SOCKS5 for Sallyport's gateway.
--
-- Three actions:
--   authenticate      http-req  checks Proxy-Authorization and reads the parameters in the user name
--   socks5_request    tcp-req   speaks SOCKS5 up to the request and turns that into an HTTP CONNECT
--   socks5_response   tcp-res   turns the answer to that CONNECT into the SOCKS5 reply
--
-- Only handshakes pass through here; the bytes of a connection never do.
-- Loaded with lua-load-per-thread: no state is kept between calls.

local users = Map.new(os.getenv("SALLYPORT_USERS_MAP"), Map._str)

local MAX_NAME = 128
local MAX_PASSWORD = 128
local MAX_RESPONSE_HEAD = 8192

-- Stands in for an unknown user, so that the same work is done for a wrong name as for a wrong password.
local NOBODY = string.rep("0", 32) .. ":" .. string.rep("0", 64)

-- What may follow the user's name, as "-key-value". A parser takes the value and returns what is stored in the
-- variable txn.<key>, or nil and the reason why the request is refused.
local PARAMETERS = {
  country = function(value)
    if not value:match("^%a%a$") then return nil, "country_unknown" end
    value = value:lower()
    return value == "uk" and "gb" or value
  end,
}

-- Compares two strings in a time that depends on their lengths alone.
local function equal(left, right)
  if #left ~= #right then return false end
  local difference = 0
  for index = 1, #left do
    difference = difference | (left:byte(index) ~ right:byte(index))
  end
  return difference == 0
end

-- True if the password is one of the user's. A user has one or several "salt:hash" entries in the map.
local function is_password_of(txn, user, password)
  if #password < 1 or #password > MAX_PASSWORD or password:find("[^\32-\126]") then return false end
  local entries = nil
  if #user <= 32 and user:find("^[a-z0-9_.]+$") then entries = users:lookup(user) end
  local matches = false
  for salt, hash in (entries or NOBODY):gmatch("(%x+):(%x+)") do
    local digest = txn.c:hex(txn.c:sha2(salt .. ":" .. password, 256)):lower()
    if equal(digest, hash) then matches = true end
  end
  return matches and entries ~= nil
end

-- The part of a name before the first "-", and the rest.
local function split_name(name)
  return name:match("^([^-]*)(.*)$")
end

-- The values of "-key-value-key-value", or nil and the reason.
local function parse_parameters(text)
  local values = {}
  local position = 1
  while position <= #text do
    local key, value, next_position = text:match("^%-([^-]*)%-?([^-]*)()", position)
    local parse = PARAMETERS[key]
    if not parse then return nil, "unknown_parameter" end
    if value == "" or values[key] then return nil, "bad_user_name" end
    local parsed, reason = parse(value)
    if not parsed then return nil, reason end
    values[key] = parsed
    position = next_position
  end
  if not values.country then return nil, "country_missing" end
  return values
end

-- ------------------------------------------------------------------------------------------------ HTTP

-- Sets txn.user and one variable a parameter, or txn.reason, on which the configuration refuses the request.
-- Nothing about a name is told to somebody who doesn't know its password.
local function authenticate(txn)
  local function refuse(reason) txn:set_var("txn.reason", reason) end

  local count = txn.f:req_fhdr_cnt("proxy-authorization")
  if count == 0 then return refuse("authentication_required") end
  if count > 1 then return refuse("authentication_failed") end
  local header = txn.f:req_fhdr("proxy-authorization") or ""
  local scheme, credentials = header:match("^(%a+) +([%w+/]+=*)$")
  if not scheme or scheme:lower() ~= "basic" then return refuse("authentication_required") end
  local name, password = (txn.c:b64dec(credentials) or ""):match("^([^:]*):(.*)$")
  if not name then return refuse("authentication_failed") end

  local user, rest = split_name(name)
  if not is_password_of(txn, user, password) then return refuse("authentication_failed") end
  txn:set_var("txn.user", user)
  if #name > MAX_NAME or name:find("[^%w_.-]") then return refuse("bad_user_name") end
  local values, reason = parse_parameters(rest)
  if not values then return refuse(reason) end
  for key, value in pairs(values) do txn:set_var("txn." .. key, value) end
end

core.register_action("authenticate", { "http-req" }, authenticate)

-- ---------------------------------------------------------------------------------------------- SOCKS5
-- RFC 1928 and, for the user name and password, RFC 1929.

local METHOD_PASSWORD, NO_METHOD = "\5\2", "\5\255"
local PASSWORD_RIGHT, PASSWORD_WRONG = "\1\0", "\1\1"
local SUCCEEDED, FAILURE, NOT_ALLOWED, HOST_UNREACHABLE, REFUSED, TTL_EXPIRED = 0, 1, 2, 4, 5, 6
local COMMAND_NOT_SUPPORTED, ADDRESS_TYPE_NOT_SUPPORTED = 7, 8

local REPLY_OF_STATUS = {
  [400] = NOT_ALLOWED, [403] = NOT_ALLOWED, [405] = NOT_ALLOWED, [407] = NOT_ALLOWED, [429] = NOT_ALLOWED,
  [502] = HOST_UNREACHABLE, [503] = REFUSED, [504] = TTL_EXPIRED,
}

local function reply(code)
  return string.char(5, code, 0, 1, 0, 0, 0, 0, 0, 0)
end

-- Takes exactly this many bytes from the front of the channel, waiting for them; nil if the client went away.
local function take(channel, count)
  if count == 0 then return "" end
  local data = channel:data(0, count)
  if not data or #data < count then return nil end
  channel:remove(0, count)
  return data
end

local function take_number(channel, bytes)
  local data = take(channel, bytes)
  return data and string.unpack(">I" .. bytes, data)
end

-- A string with its length in one byte before it.
local function take_string(channel)
  local length = take_number(channel, 1)
  return length and take(channel, length)
end

local function ipv6_literal(address)
  return string.format("[%x:%x:%x:%x:%x:%x:%x:%x]", string.unpack(">I2I2I2I2I2I2I2I2", address))
end

-- The target as HTTP writes it, or nil and the reply (nil too if the client went away).
local function take_target(channel, address_type)
  local host
  if address_type == 1 then
    local address = take(channel, 4)
    host = address and string.format("%d.%d.%d.%d", address:byte(1, 4))
  elseif address_type == 3 then
    host = take_string(channel)
  elseif address_type == 4 then
    local address = take(channel, 16)
    host = address and ipv6_literal(address)
  else
    return nil, ADDRESS_TYPE_NOT_SUPPORTED
  end
  local port = host and take_number(channel, 2)
  if not port then return nil end
  if address_type == 3 and (#host > 253 or not host:find("^[%w._-]+$")) then return nil, FAILURE end
  if port == 0 then return nil, FAILURE end
  return host .. ":" .. port
end

-- Returns the CONNECT that stands for the client's SOCKS5 handshake; or nil, and what the client is told before
-- the connection is closed (nothing if it went away or doesn't speak SOCKS5).
local function negotiate(txn)
  local request, response = txn.req, txn.res

  if take_number(request, 1) ~= 5 then return nil end
  local methods = take_string(request)
  if not methods then return nil end
  if not methods:find("\2", 1, true) then return nil, NO_METHOD end
  response:send(METHOD_PASSWORD)

  if take_number(request, 1) ~= 1 then return nil end
  local name = take_string(request)
  local password = name and take_string(request)
  if not password then return nil end
  if name:find(":", 1, true) or not is_password_of(txn, (split_name(name)), password) then
    return nil, PASSWORD_WRONG
  end
  response:send(PASSWORD_RIGHT)

  local header = take(request, 4)
  if not header or header:byte(1) ~= 5 then return nil end
  if header:byte(2) ~= 1 then return nil, reply(COMMAND_NOT_SUPPORTED) end
  local target, code = take_target(request, header:byte(4))
  if not target then return nil, code and reply(code) end

  return "CONNECT " .. target .. " HTTP/1.1\r\nHost: " .. target ..
    "\r\nProxy-Authorization: Basic " .. txn.c:base64(name .. ":" .. password) .. "\r\n\r\n"
end

local function socks5_request(txn)
  local connect, farewell = negotiate(txn)
  -- What the client sent right behind its request stays in the buffer, after the CONNECT.
  if connect and txn.req:insert(connect, 0) == #connect then return act.CONTINUE end
  if connect then farewell = reply(FAILURE) end
  if farewell then txn.res:send(farewell) end
  return act.DENY
end

core.register_action("socks5_request", { "tcp-req" }, socks5_request)

-- The head of the HTTP response, waiting for all of it; nil if there is none.
local function response_head(channel)
  local size = 0
  while size < MAX_RESPONSE_HEAD do
    local more = channel:data(0, size + 1)
    if not more or #more <= size then return nil end
    local data = channel:data()
    local _, last = data:find("\r\n\r\n", 1, true)
    if last then return data:sub(1, last) end
    size = #data
  end
  return nil
end

local function socks5_response(txn)
  local head = response_head(txn.res)
  local status = tonumber(head and head:match("^HTTP/1%.[01] (%d%d%d)"))
  if status and status >= 200 and status < 300 then
    txn.res:set(reply(SUCCEEDED), 0, #head)
    return act.CONTINUE
  end
  txn.res:remove()
  txn.res:send(reply(REPLY_OF_STATUS[status] or FAILURE))
  return act.DENY
end

core.register_action("socks5_response", { "tcp-res" }, socks5_response)
