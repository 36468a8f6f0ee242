-- Where to? Refuses what no proxy user may reach.
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

-- Sets txn.host and txn.port, and txn.check for the check page; or txn.reason. The configuration has made sure that the
-- URL is "host:port" or "http://host...".
local function check_target(txn)
  local url = txn.f:url() or ""
  local authority = url:match("^%a+://([^/?#]*)") or url
  local host, port = authority:match("^(%[[^%]]*%]):?(%d*)$")
  if not host then host, port = authority:match("^([^:]*):?(%d*)$") end
  if not host then return txn:set_var("txn.reason", "bad_target") end
  host = host:lower():gsub("%.$", "")
  port = tonumber(port) or 80
  if port < 1 or port > 65535 then return txn:set_var("txn.reason", "bad_target") end
  txn:set_var("txn.host", host)
  txn:set_var("txn.port", port)
  if host == CHECK_HOST and port == 80 then return txn:set_var("txn.check", true) end
  local reason = host_refusal(host)
  if not reason and (closed_ports[port] or (open_count > 0 and not open_ports[port])) then reason = "port_not_allowed" end
  if reason then txn:set_var("txn.reason", reason) end
end

core.register_action("check_target", { "http-req" }, check_target)
