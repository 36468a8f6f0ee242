-- What may follow a user's name, or the password: "-country-us-session-a".

local M = {}

-- "us" or nil.
function M.country(text)
  if not text:match("^%a%a$") then return nil end
  text = text:lower()
  return text == "uk" and "gb" or text
end

-- "us,ca" or "any" as a list, or nil.
local function countries(text)
  if text:lower() == "any" then return { "any" } end
  local list, seen = {}, {}
  for item in (text .. ","):gmatch("([^,]*),") do
    local code = M.country(item)
    if not code or #list == 10 then return nil end
    if not seen[code] then list[#list + 1] = code end
    seen[code] = true
  end
  return list
end

local function session_id(text)
  if not text:match("^[%w_]+$") or #text > 32 then return nil, "bad_session" end
  return text
end

-- What may follow the user's name, as "-key-value". A parser takes the value and returns what stands for it, or nil and
-- the reason why the request is refused.
local PARAMETERS = {
  country = function(text)
    local list = countries(text)
    if not list then return nil, "country_unknown" end
    return list
  end,
  city = function(text)
    local name = text:lower():gsub("[_.,]", "")
    if not name:match("^%w+$") or #name > 40 then return nil, "bad_city" end
    return name
  end,
  session = session_id,
  hardsession = session_id,
  sesstime = function(text)
    local minutes = text:match("^%d+$") and #text <= 5 and tonumber(text)
    if not minutes or minutes < 1 or minutes > 10080 then return nil, "bad_sesstime" end
    return minutes
  end,
}

-- Adds the values of "-key-value-key-value" to a table; nil and the reason if one is wrong or given twice.
local function add(text, values)
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
  return values
end

-- The values of these texts together; or nil and the reason.
function M.read(behind_name, behind_password)
  local values, reason = add(behind_name, {})
  if values then values, reason = add(behind_password, values) end
  if not values then return nil, reason end
  if values.session and values.hardsession then return nil, "bad_user_name" end
  if values.sesstime and not (values.session or values.hardsession) then return nil, "bad_sesstime" end
  return values
end

-- "secret_country-us_session-a" as "secret" and "-country-us-session-a"; nil if there is no parameter in it.
function M.split_password(password)
  if not password:find("_", 1, true) then return nil end
  local first = nil
  for key in pairs(PARAMETERS) do
    local start = password:find("_" .. key .. "-", 1, true)
    if start and (not first or start < first) then first = start end
  end
  if not first then return nil end
  local rest = password:sub(first)
  for key in pairs(PARAMETERS) do rest = rest:gsub("_(" .. key .. "%-)", "-%1") end
  return password:sub(1, first - 1), rest
end

return M
