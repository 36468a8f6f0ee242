-- Asks the controller for an exit of a country that has none. The question is a line, "open us alice", on a Unix socket in the gateway's
-- directory; the answer is another one: "coming", or "refused" and the reason that the user is told.
--
-- A user comes here after all other checks. However many requests wait, a thread asks once for each country, and tells the others.

local M = {}

local ADDRESS = "unix@" .. (os.getenv("SALLYPORT_DEMAND_SOCKET") or "")
local CONNECT_SECONDS, ANSWER_SECONDS = 0.3, 3
-- Milliseconds for which an answer counts, and after which one who does not answer is asked again.
local ANSWER_COUNTS, REFUSAL_COUNTS, PAUSE = 1000, 300, 200
-- Questions at once, and refusals of users that are remembered.
local QUESTIONS = 64

-- By country, or for what a certain user alone is refused by "user/country": { till = milliseconds, reason = nil where it is coming }.
local answers = {}
local swept = 0
-- Countries that are being asked for: until when that is over at the latest. Who asks may go away without a word.
local asking = {}

local OF_USER = { opening_limit = true, country_not_allowed = true }

local function milliseconds()
  local now = core.now()
  return now.sec * 1000 + now.usec // 1000
end

local function sweep(now)
  if now - swept < 1000 then return end
  swept = now
  for key, answer in pairs(answers) do
    if answer.till <= now then answers[key] = nil end
  end
end

-- Whether one may ask: nobody asks for the country, and not too many for others.
local function may_ask(country, now)
  local count = 0
  for other, till in pairs(asking) do
    if till <= now then asking[other] = nil else count = count + 1 end
  end
  return not asking[country] and count < QUESTIONS
end

local function question(user, country)
  local socket = core.tcp()
  socket:settimeout(CONNECT_SECONDS)
  if not socket:connect(ADDRESS) then
    socket:close()
    return nil
  end
  socket:settimeout(ANSWER_SECONDS)
  socket:send("open " .. country .. " " .. user .. "\n")
  local line = socket:receive("*l")
  socket:close()
  return line
end

-- Nil where the request may wait: an exit is coming, somebody else has asked, or no controller answers, which may be back in a moment.
-- Else the reason of the refusal.
function M.ask(user, country)
  local now = milliseconds()
  sweep(now)
  for _, key in ipairs({ user .. "/" .. country, country }) do
    local answer = answers[key]
    if answer and answer.till > now then return answer.reason end
  end
  if not may_ask(country, now) then return nil end
  asking[country] = now + 1000 * (CONNECT_SECONDS + ANSWER_SECONDS)
  local line = question(user, country)
  asking[country] = nil
  local reason = line and line:match("^refused ([%l_]+)$")
  local counts = reason and REFUSAL_COUNTS or line == "coming" and ANSWER_COUNTS or PAUSE
  answers[reason and OF_USER[reason] and user .. "/" .. country or country] = { till = milliseconds() + counts, reason = reason }
  return reason
end

return M
