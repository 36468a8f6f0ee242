-- SOCKS5: a handshake becomes an HTTP CONNECT, and the answer to that becomes the SOCKS5 reply.
-- RFC 1928 and, for the user name and password, RFC 1929.

local addresses = require("addresses")
local pending = require("pending")
local users = require("users")

local MAX_RESPONSE_HEAD = 8192

local METHOD_NONE, METHOD_PASSWORD, NO_METHOD = "\5\0", "\5\2", "\5\255"
local PASSWORD_RIGHT, PASSWORD_WRONG = "\1\0", "\1\1"
local SUCCEEDED, FAILURE, NOT_ALLOWED, NETWORK_UNREACHABLE, HOST_UNREACHABLE, REFUSED, TTL_EXPIRED = 0, 1, 2, 3, 4, 5, 6
local COMMAND_NOT_SUPPORTED, ADDRESS_TYPE_NOT_SUPPORTED = 7, 8

-- By what the exit says of a target. What is not here goes by the status.
local REPLY_OF_REASON = {
  dns_failed = HOST_UNREACHABLE, target_refused = REFUSED, target_unreachable = NETWORK_UNREACHABLE, target_timeout = TTL_EXPIRED,
  address_not_supported = ADDRESS_TYPE_NOT_SUPPORTED,
}
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
    -- Some clients send an address as a name; an IPv6 one has colons, which no name has.
    local bytes = host and host:find(":", 1, true) and addresses.parse(host:match("^%[(.*)%]$") or host)
    if bytes then
      host = ipv6_literal(bytes)
      address_type = 4
    end
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

-- Nil if they may, else why not. The same question is asked again of the CONNECT; here its answer has a message of its own.
local function refusal(txn, name, password)
  if name:find(":", 1, true) then return "authentication_failed" end
  local source = txn.f:src() or ""
  if password == "" and users.of_address(source) then return nil end
  return (users.identify(txn, (users.split_name(name)), password, source))
end

-- Returns the CONNECT that stands for the client's SOCKS5 handshake; or nil, what the client is told before the connection is closed
-- (nothing if it went away or doesn't speak SOCKS5), and the reason where it is not known who it is.
local function negotiate(txn)
  local request, response = txn.req, txn.res

  if take_number(request, 1) ~= 5 then return nil end
  local methods = take_string(request)
  if not methods then return nil end
  local credentials = nil
  if methods:find("\2", 1, true) then
    response:send(METHOD_PASSWORD)
    if take_number(request, 1) ~= 1 then return nil end
    local name = take_string(request)
    local password = name and take_string(request)
    if not password then return nil end
    txn:set_var("txn.name", users.offered(name) or "-")
    local reason = refusal(txn, name, password)
    if reason then return nil, PASSWORD_WRONG, reason end
    response:send(PASSWORD_RIGHT)
    credentials = name .. ":" .. password
  elseif methods:find("\0", 1, true) and users.of_address(txn.f:src() or "") then
    response:send(METHOD_NONE)
  else
    return nil, NO_METHOD, "authentication_required"
  end

  local header = take(request, 4)
  if not header or header:byte(1) ~= 5 then return nil end
  if header:byte(2) ~= 1 then return nil, reply(COMMAND_NOT_SUPPORTED) end
  local target, code = take_target(request, header:byte(4))
  if not target then return nil, code and reply(code) end

  local head = "CONNECT " .. target .. " HTTP/1.1\r\nHost: " .. target .. "\r\n"
  if credentials then head = head .. "Proxy-Authorization: Basic " .. txn.c:base64(credentials) .. "\r\n" end
  return head .. "\r\n"
end

local function socks5_request(txn)
  local connect, farewell, reason = negotiate(txn)
  pending.leave(txn)
  -- What the client sent right behind its request stays in the buffer, after the CONNECT.
  if connect and txn.req:insert(connect, 0) == #connect then return act.CONTINUE end
  if connect then farewell = reply(FAILURE) end
  if farewell then txn.res:send(farewell) end
  if not reason then return act.DENY end
  -- The rules that follow count it, and end the connection.
  txn:set_var("txn.reason", reason)
  return act.CONTINUE
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
  local reason = head and head:lower():match("\r\nx%-sallyport%-reason: *([%w_]+)")
  txn.res:send(reply(REPLY_OF_REASON[reason] or REPLY_OF_STATUS[status] or FAILURE))
  return act.DENY
end

core.register_action("socks5_response", { "tcp-res" }, socks5_response)
