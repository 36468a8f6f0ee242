-- SOCKS5: a handshake becomes an HTTP CONNECT, and the answer to that becomes the SOCKS5 reply. RFC 1928 and, for the user name and
-- password, RFC 1929.
--
-- The CONNECT goes to the exit itself, from the TCP backend `tunnels`. Only the check page, and a session at the TLS port, take the way
-- through the second frontend.

local addresses = require("addresses")
local pending = require("pending")
local refusals = require("refusals")
local targets = require("targets")
local users = require("users")

local MAX_RESPONSE_HEAD = 8192
-- The port of a request. It stays in the buffer until the CONNECT takes its place: HAProxy 2.6 frees an empty buffer while Lua waits, and
-- nothing can be inserted into one that was freed.
local LAST_BYTES = 2

local METHOD_NONE, METHOD_PASSWORD, NO_METHOD = "\5\0", "\5\2", "\5\255"
local PASSWORD_RIGHT, PASSWORD_WRONG = "\1\0", "\1\1"
local SUCCEEDED, FAILURE, NOT_ALLOWED, NETWORK_UNREACHABLE, HOST_UNREACHABLE, REFUSED, TTL_EXPIRED = 0, 1, 2, 3, 4, 5, 6
local COMMAND_NOT_SUPPORTED, ADDRESS_TYPE_NOT_SUPPORTED = 7, 8

-- By the reason. What is not here goes by the status.
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

-- Host and port, with the port's bytes left in the buffer; or nil and the reply (nil too if the client went away).
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
  local last = host and channel:data(0, LAST_BYTES)
  if not last or #last < LAST_BYTES then return nil end
  local port = string.unpack(">I2", last)
  if address_type == 3 and (#host > 253 or not host:find("^[%w._-]+$")) then return nil, FAILURE end
  if port == 0 then return nil, FAILURE end
  return host, port
end

-- Who the client is and where it wants to go: { who, credentials, host, port }. Or nil, what the client is told before the connection is
-- closed (nothing if it went away or doesn't speak SOCKS5), and the reason where it is not known who it is.
local function negotiate(txn)
  local request, response = txn.req, txn.res

  if take_number(request, 1) ~= 5 then return nil end
  local methods = take_string(request)
  if not methods then return nil end
  local who, reason, credentials
  if methods:find("\2", 1, true) then
    response:send(METHOD_PASSWORD)
    if take_number(request, 1) ~= 1 then return nil end
    local name = take_string(request)
    local password = name and take_string(request)
    if not password then return nil end
    if name:find(":", 1, true) then
      txn:set_var("txn.name", users.offered(name) or "-")
      reason = "authentication_failed"
    else
      who, reason = users.know(txn, name, password)
    end
    if not who then return nil, PASSWORD_WRONG, reason end
    response:send(PASSWORD_RIGHT)
    credentials = name .. ":" .. password
  else
    if methods:find("\0", 1, true) then who = users.know(txn) end
    if not who then return nil, NO_METHOD, "authentication_required" end
    response:send(METHOD_NONE)
  end

  local header = take(request, 4)
  if not header or header:byte(1) ~= 5 then return nil end
  if header:byte(2) ~= 1 then return nil, reply(COMMAND_NOT_SUPPORTED) end
  local host, port = take_target(request, header:byte(4))
  if not host then return nil, port and reply(port) end
  return { who = who, credentials = credentials, host = host, port = port }
end

-- Writes a CONNECT in the place of the request's last bytes. What the client sent right behind its request stays after it.
local function write_connect(txn, target, credentials, ticket)
  local head = "CONNECT " .. target .. " HTTP/1.1\r\nHost: " .. target .. "\r\n"
  if credentials then head = head .. "Proxy-Authorization: Basic " .. credentials .. "\r\n" end
  if ticket then head = head .. "X-Sallyport-Ticket: " .. ticket .. "\r\n" end
  head = head .. "\r\n"
  return txn.req:set(head, 0, LAST_BYTES) == #head
end

-- Sets txn.asked where the handshake is over, and the variables that the rules of `tunnels` go by, txn.verdict where they refuse; or
-- txn.again, where the CONNECT takes the way through the second frontend.
local function socks5_request(txn)
  local asked, farewell, reason = negotiate(txn)
  pending.leave(txn)
  if asked then
    txn:set_var("txn.asked", true)
    targets.judge(txn, asked.host, asked.port)
    users.admit(txn, asked.who)
    if txn:get_var("txn.reason") then txn:set_var("txn.verdict", txn:get_var("txn.reason")) end
    txn:unset_var("txn.reason")
    -- The check page is HTTP, and at the TLS port a connection has no counter left for a session.
    if not (txn:get_var("txn.check") or txn:get_var("sess.tls") and txn:get_var("txn.session_key")) then return act.CONTINUE end
    txn:set_var("txn.again", true)
    local credentials = asked.credentials and txn.c:base64(asked.credentials)
    if write_connect(txn, asked.host .. ":" .. asked.port, credentials) then return act.CONTINUE end
    txn:unset_var("txn.asked")
    farewell = reply(FAILURE)
  end
  if farewell then txn.res:send(farewell) end
  if not reason then return act.DENY end
  -- The rules that follow count it, and end the connection.
  txn:set_var("txn.reason", reason)
  return act.CONTINUE
end

core.register_action("socks5_request", { "tcp-req" }, socks5_request)

-- Tells the client why it is refused. The rules that follow end the connection.
local function tell(txn, reason)
  local status = refusals.status(reason)
  txn:set_var("txn.reason", reason)
  txn:set_var("txn.status", status)
  txn.res:send(reply(REPLY_OF_REASON[reason] or REPLY_OF_STATUS[status] or FAILURE))
end

-- The last of the rules of `tunnels`: the CONNECT for the exit, in the place of the request; or the refusal.
local function socks5_connect(txn)
  local reason = txn:get_var("txn.reason")
  local slot, target = txn:get_var("txn.slot"), txn:get_var("txn.uri")
  if not reason and slot then
    txn:set_var("txn.tunnel", txn:get_var("txn.pool") .. "." .. slot)
    if write_connect(txn, target, txn:get_var("txn.secret"), txn:get_var("txn.ticket")) then return act.CONTINUE end
  end
  tell(txn, reason or "exit_failed")
  return act.CONTINUE
end

core.register_action("socks5_connect", { "tcp-req" }, socks5_connect)

-- What an exit's answer to a CONNECT means, or nil where the tunnel stands. Exits of the version before say no more than a status.
local EXIT_REASONS = {
  bad_header = true, bad_target = true, not_a_proxy_request = true, dns_failed = true, target_refused = true, target_unreachable = true,
  target_bad_answer = true, address_not_supported = true, target_timeout = true, target_not_allowed = true,
}

local function reason_of(status, said)
  if status and status >= 200 and status < 300 then return nil end
  if EXIT_REASONS[said] then return said end
  if not status or status == 401 or status == 407 or said then return "exit_failed" end
  return status == 504 and "target_timeout" or "target_unreachable"
end

local function milliseconds()
  local now = core.now()
  return now.sec * 1000 + now.usec // 1000
end

-- The head of the response if all of it is there; else nil and whether more may come.
local function response_head(txn)
  local channel = txn.res
  local data = channel:input() > 0 and channel:data() or ""
  local _, last = data:find("\r\n\r\n", 1, true)
  if last then return data:sub(1, last) end
  return nil, #data < MAX_RESPONSE_HEAD and channel:may_recv()
end

-- The parameter is how long the answer may take: "60s".
local function socks5_response(txn, limit)
  local head, may_come = response_head(txn)
  if not head and may_come then
    local till = txn:get_var("txn.answer_until") or milliseconds() + 1000 * tonumber((limit:match("^%d+")))
    txn:set_var("txn.answer_until", till)
    local left = till - milliseconds()
    if left > 0 then
      act.wake_time(left)
      return act.YIELD
    end
  end
  local status = tonumber(head and head:match("^HTTP/1%.[01] (%d%d%d)"))
  local said = head and head:lower():match("\r\nx%-sallyport%-reason: *([%w_]+)")
  if status and status >= 200 and status < 300 then
    txn:set_var("txn.answered", true)
    txn:set_var("txn.status", status)
    txn.res:set(reply(SUCCEEDED), 0, #head)
    return act.CONTINUE
  end
  txn.res:remove()
  if txn:get_var("txn.again") then
    txn.res:send(reply(REPLY_OF_REASON[said] or REPLY_OF_STATUS[status] or FAILURE))
  else
    tell(txn, not head and may_come and "target_timeout" or reason_of(status, said))
  end
  return act.CONTINUE
end

core.register_action("socks5_response", { "tcp-res" }, socks5_response, 1)
