-- What for, and where to? Refuses what is no request for a proxy, and what no proxy user may reach.
--
-- Host and port are read here, once. Nothing of the client's own request line or Host header goes on: an exit's proxy ends an authority
-- elsewhere than HAProxy does, so what one of them has checked is not what the other one would connect to.
--
-- A name is resolved in the exit, so an answer that leads to a private address is refused there, by the exit's firewall.
-- What is refused here never reaches an exit at all.

local addresses = require("addresses")

local M = {}

local CHECK_HOST = "ip.sallyport"

local function port_set(text)
  local set, count = {}, 0
  for port in (text or ""):gmatch("%d+") do
    set[tonumber(port)] = true
    count = count + 1
  end
  return set, count
end

local closed_ports = port_set(os.getenv("SALLYPORT_CLOSED_PORTS"))
local open_ports, open_count = port_set(os.getenv("SALLYPORT_OPEN_PORTS"))

-- Names that mean the machine itself or its own network, wherever they are asked for (RFC 6761, 6762, 8375, and the
-- clouds' metadata). An exit of the version before has a page about itself under tinyproxy.stats.
local REFUSED_NAMES = { "localhost", "local", "internal", "home.arpa", "localdomain", "ip6-localhost", "ip6-loopback", "tinyproxy.stats", "sallyport" }

-- The reason why a host may not be reached, or nil.
local function host_refusal(host)
  if host:sub(1, 1) == "[" then
    local bytes = addresses.parse(host:sub(2, -2))
    if not bytes then return "bad_target" end
    if addresses.is_refused(bytes) then return "target_not_allowed" end
    -- What is only another form of an IPv4 address is no exit's business.
    return addresses.is_translated(bytes) and "address_not_supported" or nil
  end
  if #host > 253 then return "bad_target" end
  for label in (host .. "."):gmatch("([^.]*)%.") do
    if label == "" or #label > 63 then return "bad_target" end
  end
  -- A resolver reads "0x7f.1", "017700000001" and "2130706433" as addresses. One notation is enough.
  local last = host:match("([^.]+)$")
  if last:match("^%d+$") or last:match("^0x%x*$") then
    local bytes = addresses.parse(host)
    return (not bytes or addresses.is_refused(bytes)) and "target_not_allowed" or nil
  end
  for _, name in ipairs(REFUSED_NAMES) do
    if host == name or host:sub(-#name - 1) == "." .. name then return "target_not_allowed" end
  end
  return nil
end

-- Those of IANA's registry (RFC 9110, WebDAV and its kin) without TRACE, which shows a target's answer what is none of its business, and
-- HTTP/2's PRI. The exits' proxy has a method of its own.
local METHODS = {}
for method in ([[
  CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY
  ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE
  ORDERPATCH PROPFIND PROPPATCH REBIND REPORT SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL
]]):gmatch("%S+") do METHODS[method] = true end

-- Host and port of an authority: "host:port", "host" or "host:", the last two with the port 0. Or nil and the reason. Nothing of the
-- authority is decoded: a host with an escaped, foreign or control character in it is refused.
local function split_authority(text)
  if text:find("@", 1, true) then return nil, "userinfo_not_allowed" end
  if text:find("[^%w._:%[%]-]") then return nil, "bad_target" end
  local host, port = text:match("^(.+):([1-9]%d*)$")
  if not host then host, port = text:match("^(.-):?$"), "0" end
  if #port > 5 or not (host:match("^[%w._-]+$") or host:match("^%[[%x:.]+%]$")) then return nil, "not_a_proxy_request" end
  return host, tonumber(port)
end

-- True if a body may follow. "Content-Length: 0" says that none does; old Windows clients and JVMs write it into a CONNECT.
local function has_body(txn)
  if txn.f:req_fhdr_cnt("transfer-encoding") > 0 then return true end
  for index = 1, txn.f:req_fhdr_cnt("content-length") do
    if not txn.f:req_fhdr("content-length", index):match("^0+$") then return true end
  end
  return false
end

-- Other protocols that a client only offers, and does without: more of HTTP (RFC 9110, section 7.8).
local OPTIONAL_UPGRADES = { h2c = true, h2 = true, h3 = true, http = true, tls = true }

-- The words of a field that is a list, in lower case.
local function words(txn, field)
  local list = {}
  for index = 1, txn.f:req_fhdr_cnt(field) do
    for word in txn.f:req_fhdr(field, index):lower():gmatch("[^,%s]+") do list[#list + 1] = word end
  end
  return list
end

-- What refuses the protocol that the client wants to change to, where an exit can't pass that on; nil where it wants none.
local function upgrade_refusal(txn)
  local wanted, reason = false, nil
  for _, word in ipairs(words(txn, "connection")) do wanted = wanted or word == "upgrade" end
  for _, protocol in ipairs(words(txn, "upgrade")) do
    if protocol == "websocket" then
      reason = "websocket_needs_connect"
    elseif not OPTIONAL_UPGRADES[protocol:match("^[^/]*")] then
      reason = reason or "upgrade_needs_connect"
    end
  end
  return wanted and reason or nil
end

local OTHER_SCHEMES = { https = "https_needs_connect", wss = "websocket_needs_connect", ws = "websocket_needs_connect" }

-- What a client wants of its proxy: host, port, and what follows the authority (nil for CONNECT). Or nil and the reason.
local function read_target(txn)
  local method, url = txn.f:method() or "", txn.f:url() or ""
  if not METHODS[method] then return nil, "method_not_allowed" end
  -- HAProxy lets these and other versions through, since it is told not to compare the line with the Host header.
  if url:find("[^\33-\126]") or url:find("#", 1, true) then return nil, "bad_target" end
  local version = txn.f:req_ver()
  if version ~= "1.1" and version ~= "1.0" then return nil, "not_a_proxy_request" end
  if method == "CONNECT" then
    local host, port = split_authority(url)
    if not host then return nil, url:find("/", 1, true) and "not_a_proxy_request" or port end
    -- What stands behind a CONNECT goes into the tunnel; a length would make it part of two messages.
    if port == 0 or has_body(txn) then return nil, "not_a_proxy_request" end
    return host, port
  end
  local scheme, authority, rest = url:match("^(%a+)://([^/?]*)(.*)$")
  if not scheme then return nil, "not_a_proxy_request" end
  scheme = scheme:lower()
  if scheme ~= "http" then return nil, OTHER_SCHEMES[scheme] or "not_a_proxy_request" end
  if authority == "" then return nil, "bad_target" end
  local host, port = split_authority(authority)
  if not host then return nil, port end
  local upgrade = upgrade_refusal(txn)
  -- HTTP/1.0 has neither Upgrade nor Expect.
  if upgrade and version == "1.0" then return nil, upgrade end
  if upgrade then txn:set_var("txn.upgrade", upgrade) end
  if version == "1.1" and txn.f:req_fhdr_cnt("expect") > 0 then txn:set_var("txn.expects", true) end
  return host, port == 0 and 80 or port, rest:sub(1, 1) == "/" and rest or "/" .. rest
end

-- A name in lower case without the dot at its end, an address in its one form; nil where it is neither.
local function canonical(host)
  if #host > 254 then return nil end
  if host:sub(1, 1) ~= "[" then return (host:lower():gsub("%.$", "")) end
  local bytes = addresses.parse(host:sub(2, -2))
  return bytes and #bytes == 16 and "[" .. addresses.short_text(bytes) .. "]" or nil
end

-- Judges where a client wants to go: sets txn.uri where that is allowed, else txn.verdict with the reason; txn.target for the log, and
-- txn.check for the check page, txn.rotate where it is to move the session, txn.self ("status", "tunnel") where it is or may be the user's
-- status. Returns the authority that the target is to read.
-- @param path of a plain request; nil for a tunnel.
function M.judge(txn, host, port, path)
  local function refuse(reason) txn:set_var("txn.verdict", reason) end

  host = canonical(host)
  if not host or port > 65535 then return refuse("bad_target") end
  local target = host .. ":" .. port
  txn:set_var("txn.target", target)
  if host == CHECK_HOST and port == 80 then
    txn:set_var("txn.check", true)
    local page = path and path:match("^[^?]*")
    if page == "/rotate" then txn:set_var("txn.rotate", true) end
    -- What is asked for inside of a tunnel is not known yet.
    if not page or page == "/status" then txn:set_var("txn.self", page and "status" or "tunnel") end
  else
    local reason = host_refusal(host)
    if not reason and (closed_ports[port] or (open_count > 0 and not open_ports[port])) then reason = "port_not_allowed" end
    if reason then return refuse(reason) end
    -- It leaves by exits alone whose tunnels carry IPv6.
    if host:sub(1, 1) == "[" then txn:set_var("txn.six", true) end
  end
  local authority = path and port == 80 and host or target
  txn:set_var("txn.uri", path and "http://" .. authority .. path or authority)
  return authority
end

-- Reads host and port, the only time that anybody does: the request that goes to an exit is written anew from txn.uri.
local function read_request(txn)
  local host, port, path = read_target(txn)
  if not host then return txn:set_var("txn.verdict", port) end
  local authority = M.judge(txn, host, port, path)
  -- HAProxy writes the one that is there anew, with the line.
  if authority and txn.f:req_fhdr_cnt("host") == 0 then txn:set_var("txn.new_host", authority) end
end

core.register_action("read_request", { "http-req" }, read_request)

return M
