-- Addresses as bytes, and the networks that no proxy user may reach.

local M = {}

local function parse_ipv4(text)
  local a, b, c, d = text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if not a then return nil end
  local bytes = ""
  for _, part in ipairs({ a, b, c, d }) do
    if #part > 3 or (#part > 1 and part:sub(1, 1) == "0") or tonumber(part) > 255 then return nil end
    bytes = bytes .. string.char(tonumber(part))
  end
  return bytes
end

-- Sixteen-bit groups of "1:2:3", the last of which may be an IPv4 address; nil if one is none.
local function groups(text)
  local bytes = ""
  if text == "" then return bytes end
  local parts = {}
  for part in (text .. ":"):gmatch("([^:]*):") do parts[#parts + 1] = part end
  for index, part in ipairs(parts) do
    local v4 = index == #parts and parse_ipv4(part)
    if v4 then
      bytes = bytes .. v4
    elseif part:match("^%x%x?%x?%x?$") then
      bytes = bytes .. string.pack(">I2", tonumber(part, 16))
    else
      return nil
    end
  end
  return bytes
end

local function parse_ipv6(text)
  local head, tail = text:match("^(.-)::(.*)$")
  if not head then
    local bytes = groups(text)
    return bytes and #bytes == 16 and bytes or nil
  end
  if tail:find("::", 1, true) then return nil end
  local left, right = groups(head), groups(tail)
  if not left or not right or #left + #right > 14 then return nil end
  return left .. string.rep("\0", 16 - #left - #right) .. right
end

-- The 4 or 16 bytes of an address in its usual form, or nil.
function M.parse(text)
  return parse_ipv4(text) or (text:find(":", 1, true) and parse_ipv6(text)) or nil
end

-- The address in one form, however it was written.
function M.text(bytes)
  if #bytes == 4 then return string.format("%d.%d.%d.%d", bytes:byte(1, 4)) end
  return string.format("%x:%x:%x:%x:%x:%x:%x:%x", string.unpack(">I2I2I2I2I2I2I2I2", bytes))
end

-- An IPv6 address as RFC 5952 writes it: the longest run of zeros, the first of several, as "::".
function M.short_text(bytes)
  local text = M.text(bytes)
  for count = 8, 2, -1 do
    local run = ":" .. string.rep("0:", count)
    local first, last = (":" .. text .. ":"):find(run, 1, true)
    if first then
      return (text:sub(1, math.max(0, first - 2))) .. "::" .. text:sub(last)
    end
  end
  return text
end

local networks = {}

-- True if the network, "10.0.0.0/8" or a single address, has the address, given as bytes.
function M.contains(network, bytes)
  local parsed = networks[network]
  if not parsed then
    local address, prefix = network:match("^([^/]+)/?(%d*)$")
    local base = address and M.parse(address)
    if not base then return false end
    parsed = { base = base, prefix = tonumber(prefix) or #base * 8 }
    networks[network] = parsed
  end
  if #parsed.base ~= #bytes then return false end
  local whole, rest = parsed.prefix // 8, parsed.prefix % 8
  if parsed.base:sub(1, whole) ~= bytes:sub(1, whole) then return false end
  if rest == 0 then return true end
  return parsed.base:byte(whole + 1) >> (8 - rest) == bytes:byte(whole + 1) >> (8 - rest)
end

-- Networks that are none of the public internet (RFC 6890 and its successors); of IPv6 all but 2000::/3, which alone IANA gives out.
-- 198.18.0.0/15, for measurements in laboratories, is not among them: the lab's internet has it. Sources/Platform/PrivateNetworks.swift
-- and containers/exit/exit have the same list.
local REFUSED = {
  "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
  "192.88.99.0/24", "192.168.0.0/16", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
  "::/3", "2001::/23", "2001:db8::/32", "3fff::/20", "4000::/2", "8000::/1",
}

-- This machine's own addresses, and what the operator added. The map changes at run time.
local refused = Map.new(os.getenv("SALLYPORT_REFUSED_MAP"), Map._ip)

-- Where an IPv6 address leads to an IPv4 one: the network, and the first byte of that.
local CARRIERS = { ["::ffff:0:0/96"] = 13, ["64:ff9b::/96"] = 13, ["2002::/16"] = 3 }

-- The IPv4 address that an IPv6 one leads to, as bytes, or nil.
local function carried(bytes)
  for network, start in pairs(CARRIERS) do
    if M.contains(network, bytes) then return bytes:sub(start, start + 3) end
  end
  -- ISATAP (RFC 5214, section 6.1), in any network.
  local marker = bytes:sub(9, 12)
  return (marker == "\0\0\x5e\xfe" or marker == "\2\0\x5e\xfe") and bytes:sub(13, 16) or nil
end

-- True if nobody may go to this address, given as bytes.
function M.is_refused(bytes)
  if refused:lookup(M.text(bytes)) then return true end
  local inner = #bytes == 16 and carried(bytes)
  if inner and M.is_refused(inner) then return true end
  -- What is mapped or translated lies outside of what IANA gives out, and leads into it.
  if M.contains("::ffff:0:0/96", bytes) or M.contains("64:ff9b::/96", bytes) then return false end
  for _, network in ipairs(REFUSED) do
    if M.contains(network, bytes) then return true end
  end
  return false
end

return M
