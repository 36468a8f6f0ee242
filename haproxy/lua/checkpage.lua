-- The page http://ip.sallyport/, which says through which exit a user goes. It is asked for in plain HTTP, or inside a
-- tunnel by CONNECT or SOCKS5; the first request carries what the page says in a header that only HAProxy sets.

local MAX_LINES = 100

local HTML = [[<!doctype html><html lang="en"><meta charset="utf-8"><title>Sallyport</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1rem;color:#1c2733}
h1{font-size:1.4rem}table{border-collapse:collapse;width:100%%}td{padding:.4rem 0;border-top:1px solid #d5dde5}td:first-child{color:#5b6b7b}</style>
<h1>You are going out through %s</h1><table>%s</table></html>
]]

local ROWS = {
  { "Country", "country" }, { "Address", "address" }, { "City", "city" }, { "User", "user" }, { "Session", "session" },
  { "Seconds left of the session", "session_seconds_left" }, { "Protocol", "protocol" },
}

local function value(json, key)
  return json:match('"' .. key .. '": "([^"]*)"') or json:match('"' .. key .. '": (%d+)') or "none"
end

local function html(json)
  local rows = {}
  for _, row in ipairs(ROWS) do
    rows[#rows + 1] = "<tr><td>" .. row[1] .. "</td><td>" .. value(json, row[2]) .. "</td></tr>"
  end
  return HTML:format(value(json, "exit"), table.concat(rows))
end

-- The method, the page's text and whether HTML is wanted; nil if the client went away or sends no end of lines.
local function read_head(applet)
  local method, page, accepts_html = nil, nil, false
  for _ = 1, MAX_LINES do
    local line = applet:getline()
    if not line or line == "" then return nil end
    line = line:gsub("[\r\n]+$", "")
    if line == "" then return method, page, accepts_html end
    if not method then method = line:match("^(%u+) ") or "?" end
    local name, text = line:match("^([%w-]+):%s*(.-)%s*$")
    name = name and name:lower()
    if name == "x-sallyport-page" then page = text end
    if name == "accept" and text:find("text/html", 1, true) then accepts_html = true end
  end
  return nil
end

local function check_page(applet)
  local method, page, accepts_html = read_head(applet)
  local text = page
  if method == "CONNECT" then
    applet:send("HTTP/1.1 200 Connection established\r\n\r\n")
    method, page, accepts_html = read_head(applet)
  end
  if not method or not text then return end
  local body = accepts_html and html(text) or text .. "\n"
  local kind = accepts_html and "text/html; charset=utf-8" or "application/json"
  applet:send("HTTP/1.1 200 OK\r\nContent-Type: " .. kind .. "\r\nContent-Length: " .. #body ..
    "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n" .. (method == "HEAD" and "" or body))
end

core.register_service("check_page", "tcp", check_page)
