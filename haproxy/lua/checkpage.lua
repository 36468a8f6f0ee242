-- The page http://ip.sallyport/, which says through which exit a user goes. It is asked for in plain HTTP, or inside a
-- tunnel by CONNECT or SOCKS5; the first request carries what the page says in a header that only HAProxy sets. /status is told in the same
-- way, and also to users whose requests are refused.

local refusals = require("refusals")

local MAX_LINES = 100

local HTML = [[<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>%s, %s - Sallyport</title>
<style>:root{color-scheme:light dark;--text:#17212b;--quiet:#5b6b7b;--line:#dbe2e8;--card:#fff;--ground:#eef2f5;--good:#12805c}
@media(prefers-color-scheme:dark){:root{--text:#e6edf3;--quiet:#93a1b0;--line:#2b3742;--card:#161e26;--ground:#0d1319;--good:#3fc594}}
body{font:16px/1.5 system-ui,sans-serif;margin:0;padding:8vh 1rem;background:var(--ground);color:var(--text)}
main{max-width:34rem;margin:auto;background:var(--card);border:1px solid var(--line);border-radius:14px;padding:1.6rem 2rem}
p{margin:0;color:var(--good);font-weight:600}h1{font-size:1.7rem;margin:.2rem 0 0}h2{font-size:1.05rem;font-weight:400;color:var(--quiet);margin:0 0 1.2rem}
table{border-collapse:collapse;width:100%%}td{padding:.45rem 0;border-top:1px solid var(--line)}td:first-child{color:var(--quiet);width:10rem}</style>
<main><p>You are going out through %s</p><h1>%s</h1><h2>%s</h2><table>%s</table></main></html>
]]

-- By then the tunnel's session has been read.
local UNHEARD = ', "rotated": false, "advice": "not heard inside a tunnel: ask by plain HTTP, with the same user name"}'

local PROTOCOLS = { http = "HTTP proxy", socks5 = "SOCKS5" }

local function value(json, key)
  local text = json:match('"' .. key .. '": "([^"]*)"') or json:match('"' .. key .. '": (%d+)')
  return text ~= "" and text or nil
end

-- How long a session lasts yet, in words.
local function session_of(json)
  local session, seconds = value(json, "session"), tonumber(value(json, "session_seconds_left") or "")
  if not session then return "none: each connection may take another exit of the country" end
  if not seconds then return session end
  return session .. ", for another " .. (seconds < 120 and seconds .. " s" or seconds // 60 .. " min")
end

-- What came of a rotation, in words.
local function rotation_of(json)
  local advice = value(json, "advice")
  return advice and "not moved: " .. advice or "the session has another exit from now on"
end

-- All values were checked to be plain before they came here: page_of in routing.lua.
local function html(json)
  local address, place = value(json, "address") or "address unknown", value(json, "country") or "?"
  if value(json, "city") then place = value(json, "city") .. ", " .. place end
  local protocol = value(json, "protocol") or "?"
  local rows, told = {}, { { "User", value(json, "user") or "?" }, { "Session", session_of(json) }, { "Protocol", PROTOCOLS[protocol] or protocol } }
  if json:find('"rotated": ', 1, true) then told[#told + 1] = { "Rotation", rotation_of(json) } end
  for _, row in ipairs(told) do
    rows[#rows + 1] = "<tr><td>" .. row[1] .. "</td><td>" .. row[2] .. "</td></tr>"
  end
  return HTML:format(place, address, value(json, "exit") or "?", address, place, table.concat(rows))
end

-- The headers of which the outer request says what there is to tell; all are set by HAProxy alone.
local OWN = { ["x-sallyport-page"] = "page", ["x-sallyport-status"] = "status", ["x-sallyport-refused"] = "refused" }

-- What a request's head says: method, path (nil in absolute form), whether HTML is wanted, and what HAProxy has set. Nil if the client
-- went away or sends no end of lines.
local function read_head(applet)
  local head = { accepts_html = false }
  for _ = 1, MAX_LINES do
    local line = applet:getline()
    if not line or line == "" then return nil end
    line = line:gsub("[\r\n]+$", "")
    if line == "" then return head end
    if not head.method then
      head.method, head.path = line:match("^(%u+) (/[^ ?]*)")
      head.method = head.method or line:match("^(%u+) ") or "?"
    end
    local name, text = line:match("^([%w-]+):%s*(.-)%s*$")
    name = name and name:lower()
    if OWN[name] then head[OWN[name]] = text end
    if name == "accept" and text:find("text/html", 1, true) then head.accepts_html = true end
  end
  return nil
end

local function answer(applet, method, status, kind, body, header)
  applet:send("HTTP/1.1 " .. status .. "\r\nContent-Type: " .. kind .. "\r\nContent-Length: " .. #body .. (header or "") ..
    "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n" .. (method == "HEAD" and "" or body))
end

local function answer_status(applet, method, text)
  if method == "GET" or method == "HEAD" then return answer(applet, method, "200 OK", "application/json", text .. "\n") end
  answer(applet, method, "405 Method Not Allowed", "text/plain", "method_not_allowed\n", "\r\nAllow: GET, HEAD")
end

-- The page, with a status by which a script notices that it has the exit that it had.
local function answer_page(applet, head, text)
  local status = text:find('"rotated": false', 1, true) and "409 Conflict" or "200 OK"
  if head.accepts_html then return answer(applet, head.method, status, "text/html; charset=utf-8", html(text)) end
  answer(applet, head.method, status, "application/json", text .. "\n")
end

local PHRASES = { [400] = "Bad Request", [403] = "Forbidden", [429] = "Too Many Requests", [502] = "Bad Gateway", [503] = "Service Unavailable" }

-- Of a tunnel that stands for the status alone: what else is asked for in it is refused there.
local function answer_refusal(applet, method, reason)
  local status = refusals.status(reason)
  answer(applet, method, status .. " " .. (PHRASES[status] or "Refused"), "text/plain", reason .. "\n", "\r\nX-Sallyport-Reason: " .. reason)
end

local function check_page(applet)
  local outer = read_head(applet)
  if not outer then return end
  if outer.method ~= "CONNECT" then
    if outer.page then return answer_page(applet, outer, outer.page) end
    if outer.status then answer_status(applet, outer.method, outer.status) end
    return
  end
  applet:send("HTTP/1.1 200 Connection established\r\n\r\n")
  local inner = read_head(applet)
  if not inner or not inner.method then return end
  if inner.path == "/status" and outer.status then return answer_status(applet, inner.method, outer.status) end
  if not outer.page then return answer_refusal(applet, inner.method, outer.refused or "no_exit") end
  answer_page(applet, inner, inner.path == "/rotate" and outer.page:gsub("}$", UNHEARD) or outer.page)
end

core.register_service("check_page", "tcp", check_page)
