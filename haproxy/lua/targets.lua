-- What for, and where to? Refuses what is no request for a proxy, and what no proxy user may reach.
--
-- A name is resolved in the exit, so an answer that leads to a private address is refused there, by the exit's firewall.
-- What is refused here never reaches an exit at all.

local addresses = require("addresses")

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
-- clouds' metadata). The exit's proxy has a page about itself under tinyproxy.stats.
local REFUSED_NAMES = { "localhost", "local", "internal", "home.arpa", "localdomain", "ip6-localhost", "ip6-loopback", "tinyproxy.stats", "sallyport" }

-- The reason why a host may not be reached, or nil.
local function host_refusal(host)
  if host:sub(1, 1) == "[" then
    local bytes = addresses.parse(host:sub(2, -2))
    if not bytes then return "bad_target" end
    return addresses.is_refused(bytes) and "target_not_allowed" or nil
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

local METHODS = { CONNECT = true, GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true, OPTIONS = true }

-- Host and port of "host:port" or, with an empty port, of "host"; nil where the host is neither a name nor an address, or where the
-- port is no number.
local function split_authority(text)
  local host, port = text:match("^(.+):([1-9]%d*)$")
  if not host then host, port = text, "" end
  if #port > 5 or not (host:match("^[%w._-]+$") or host:match("^%[[%x:.]+%]$")) then return nil end
  return host, port
end

-- What a client wants of its proxy, as host and port; or nil and the reason.
local function target(txn)
  local method, url = txn.f:method() or "", txn.f:url() or ""
  if not METHODS[method] then return nil, "method_not_allowed" end
  local host, port
  if method == "CONNECT" then
    host, port = split_authority(url)
    -- What stands behind a CONNECT goes into the tunnel; a length would make it part of two messages.
    if port == "" or txn.f:req_fhdr_cnt("content-length") > 0 or txn.f:req_fhdr_cnt("transfer-encoding") > 0 then host = nil end
  else
    local scheme, authority = url:match("^(%a+://)([^/?]*)")
    if scheme and scheme:lower() == "http://" then host, port = split_authority(authority) end
  end
  if not host then return nil, "not_a_proxy_request" end
  return (host:lower():gsub("%.$", "")), tonumber(port) or 80
end

-- Sets txn.host and txn.port, and txn.check for the check page; or txn.reason.
local function check_request(txn)
  local host, port = target(txn)
  if not host then return txn:set_var("txn.reason", port) end
  if port > 65535 then return txn:set_var("txn.reason", "bad_target") end
  txn:set_var("txn.host", host)
  txn:set_var("txn.port", port)
  if host == CHECK_HOST and port == 80 then return txn:set_var("txn.check", true) end
  local reason = host_refusal(host)
  if not reason and (closed_ports[port] or (open_count > 0 and not open_ports[port])) then reason = "port_not_allowed" end
  if reason then txn:set_var("txn.reason", reason) end
end

core.register_action("check_request", { "http-req" }, check_request)
