-- A refusal as a page, for clients that say they take HTML: browsers. Programs get the bare reason from the rules that follow, which
-- also hold where this code fails. A browser shows no answer to a CONNECT, so pages are seen for plain http:// addresses only.

local status = require("status")

local HTML = [[<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>%s - Sallyport</title>
<style>:root{color-scheme:light dark;--text:#17212b;--quiet:#56657a;--line:#dbe2e8;--card:#fff;--ground:#eef2f5;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--text:#e6edf3;--quiet:#9aa8b6;--line:#2b3742;--card:#161e26;--ground:#0d1319;--bad:#ff8a80}}
body{font:16px/1.5 system-ui,sans-serif;margin:0;padding:8vh 1rem;background:var(--ground);color:var(--text)}
main{max-width:34rem;margin:auto;background:var(--card);border:1px solid var(--line);border-radius:14px;padding:1.6rem 2rem}
main>p:first-child{margin:0;color:var(--bad);font-weight:600}h1{font-size:1.5rem;line-height:1.25;margin:.2rem 0 1rem}
h2{font-size:1rem;margin:1.2rem 0 .2rem}p{margin:0}footer{margin-top:1.4rem;padding-top:.8rem;border-top:1px solid var(--line);color:var(--quiet)}
code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}</style>
<main><p>The proxy refused this request</p><h1>%s</h1><p>%s</p><h2>What to do</h2><p>%s</p>
<footer>Reason <code>%s</code>, status %d. This page is the proxy's, not the website's.</footer></main></html>
]]

local WRITE_PARAMETERS = "Write the user name as <code>alice-country-us-session-1</code>: the name first, then pairs of a parameter and its value."
local ASK_OPERATOR = "Ask the operator of this proxy."

local function page(status, title, meaning, remedy) return { status = status, title = title, meaning = meaning, remedy = remedy } end

local pages = {
  authentication_required = page(407, "Sign in to use this proxy", "The request had no user name and password for the proxy.",
    "Load the page again and give the user name and password that the operator gave you."),
  authentication_failed = page(407, "The user name or password is wrong", "The proxy does not know this user with this password.",
    "Check both. After a new password was made the old one no longer works; the browser may have kept it."),
  too_many_tries = page(429, "Too many wrong passwords", "Your address, or others for this user, sent many wrong passwords in the last minute.",
    "Wait a minute, check user name and password, and load the page again. Programs with an old password at your address count too."),
  user_disabled = page(403, "This user is disabled", "The operator has disabled this user.", ASK_OPERATOR),
  user_expired = page(403, "This user has expired", "The user's time is over.", ASK_OPERATOR),
  address_not_allowed = page(403, "Your address is not allowed", "This user may use the proxy from certain addresses only.",
    "Use an allowed address, or ask the operator to add yours."),
  country_not_allowed = page(403, "This country is not allowed", "This user may not use exits of that country.",
    "Choose another country, or ask the operator to allow this one."),
  target_not_allowed = page(403, "This address may not be reached", "Private, local and reserved addresses are closed for all users of the proxy.",
    "Open the address without the proxy."),
  port_not_allowed = page(403, "This port may not be reached", "The operator has closed the port for all users of the proxy.",
    "Use another port, or ask the operator."),
  connection_limit = page(429, "Too many connections at once", "This user has as many connections open as the operator allows.",
    "Close some, wait a moment, and load the page again."),
  rate_limit = page(429, "Too many requests", "This user has asked for more a second than the operator allows.", "Wait a moment and load the page again."),
  quota_day = page(429, "The quota of this day is used up", "This user has moved all the bytes that a day allows.",
    "Days begin at midnight UTC. Until then the operator can raise the quota."),
  quota_month = page(429, "The quota of this month is used up", "This user has moved all the bytes that a month allows.",
    "Months begin on the first at midnight UTC. Until then the operator can raise the quota."),
  quota_total = page(429, "The quota is used up", "This user has moved all the bytes that were granted.", "Ask the operator to raise the quota."),
  no_exit = page(503, "No exit serves this country now", "The country has no exit, or its exits are being replaced.",
    "Load the page again in a few seconds. If that does not help, choose another country or ask the operator to open this one."),
  no_exit_in_city = page(503, "No exit serves this city now", "The country has exits, but none in that city.",
    "Load the page again in a few seconds, or leave the city out."),
  no_tunnel = page(503, "All tunnels are in use", "A country would be opened for you, but the provider's accounts allow no tunnel more, and all are used.",
    "Load the page again in a few minutes, or use a country that is open."),
  no_server = page(503, "No server in this country", "The provider has no server there.", "Choose another country."),
  starting = page(503, "The proxy is starting", "It does not know yet which countries have servers.", "Load the page again in a few seconds."),
  opening_limit = page(429, "Too many countries at once", "You have opened as many countries in the last minute as are allowed.",
    "Use one of these, or wait a minute."),
  session_exit_gone = page(502, "The exit of this session is gone", "A session of the kind <code>hardsession</code> stays with one exit, which no longer serves.",
    "Begin another session: change its name."),
  exit_failed = page(502, "The exit failed", "The exit could not be reached, or broke off. It is being replaced.", "Load the page again."),
  dns_failed = page(502, "There is no website of this name", "The exit could not find an address for the name.",
    "Check the address. If it is right, try another country."),
  target_refused = page(502, "The website refuses connections", "Its server answered, but nothing listens at that port.",
    "Check the address and its port, or try later."),
  target_bad_answer = page(502, "The website's answer makes no sense", "Its server closed the connection without an answer, or answered with something else than HTTP.",
    "Load the page again. If that does not help, the website is broken, or the port is for something else."),
  address_not_supported = page(502, "The exit has no IPv6", "The address is an IPv6 address, and the exits of this country, or this session's, reach IPv4 alone.",
    "Use the website's name, or its IPv4 address."),
  target_unreachable = page(502, "The website can't be reached", "The exit could not resolve or reach it.",
    "Check the address. If it is right, try another country."),
  target_timeout = page(504, "The website did not answer in time", "The exit waited for an answer and got none.",
    "Load the page again, or try another country."),
  country_missing = page(400, "A country is missing", "Neither the user name nor the port says which country to use.",
    "Add a country to the user name, like <code>alice-country-us</code>."),
  country_unknown = page(400, "There is no such country", "The user name has a country that is no ISO 3166-1 code of two letters.",
    "Use a code like <code>us</code>, <code>de</code> or <code>gb</code>."),
  country_conflict = page(400, "Two countries were asked for", "The port belongs to one country, and the user name has another.",
    "Use the country's own port, or leave the country out of the user name."),
  unknown_parameter = page(400, "The user name has an unknown parameter", "The proxy knows country, city, session, hardsession and sesstime.", WRITE_PARAMETERS),
  bad_user_name = page(400, "The user name can't be read", "It is not a name and pairs of a parameter and its value.", WRITE_PARAMETERS),
  bad_session = page(400, "The session's name can't be used", "A session is 1 to 32 letters, digits and <code>_</code>.", WRITE_PARAMETERS),
  bad_sesstime = page(400, "The session's time can't be used", "The parameter sesstime takes 1 to 10080 minutes, and needs a session.", WRITE_PARAMETERS),
  bad_city = page(400, "The city can't be read", "A city is written in letters and digits without blanks, like <code>newyork</code>.", WRITE_PARAMETERS),
}

local M = {}

-- The status that a reason is told with; 400 for those of requests that are not understood.
function M.status(reason)
  return pages[reason] and pages[reason].status or 400
end

-- Answers with the page of the reason, where there is one. Else the rules below answer.
local function refuse_with_page(txn)
  local reason = txn:get_var("txn.reason")
  local found = reason and pages[reason]
  if not found or txn.sf:method() == "HEAD" then return end
  local reply = txn:reply({ status = found.status })
  reply:add_header("content-type", "text/html; charset=utf-8")
  reply:add_header("cache-control", "no-store")
  reply:add_header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'")
  if found.status == 407 then reply:add_header("proxy-authenticate", 'Basic realm="sallyport"') end
  status.note(txn)
  reply:set_body(HTML:format(found.title, found.title, found.meaning, found.remedy, reason, found.status))
  txn:done(reply)
end

core.register_action("refuse_with_page", { "http-req" }, function(txn)
  if (txn.sf:req_fhdr("accept")):find("text/html", 1, true) then refuse_with_page(txn) end
end)
-- The request's headers are gone by then: its backend has noted what it takes.
core.register_action("answer_with_page", { "http-res" }, refuse_with_page)

return M
