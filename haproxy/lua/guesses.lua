-- Wrong passwords: a source that has sent many waits, also with a right one: an answer would confirm a guess.
--
-- The tables `guesses` and `guessed` count those of the last minute, by source and by the name that was tried. `origins` has the sources
-- from which a user has come with the right password: from there a wrong one of somebody else's keeps nobody out.

local M = {}

-- A file that an earlier version has written has neither the variable nor the table `origins`.
local limit = tonumber(os.getenv("SALLYPORT_FAILED_PASSWORDS")) or 100
-- Of one name, from all sources together.
local name_limit = 3 * limit

local tables = {}

local function lookup(name, key)
  local stored = tables[name]
  if not stored then
    stored = core.backends[name] and core.backends[name].stktable
    tables[name] = stored
  end
  return stored and stored:lookup(key)
end

local function rate(name, key)
  local entry = lookup(name, key)
  return entry and entry["gpc0_rate"] or 0
end

-- What `origins` has of a user at the source of this connection.
function M.origin(txn, user)
  return user .. "/" .. (txn:get_var("sess.source") or "")
end

-- True if a password for this name is not to be looked at. A source without a wrong one is always heard, so who guesses elsewhere shuts
-- no user out. Sets txn.name_waits where it is for the wrong ones that others have sent for the name.
function M.must_wait(txn, name)
  local source = txn:get_var("sess.source") or ""
  -- The table's keys are IPv6 addresses.
  local tries = rate("guesses", source:find(":", 1, true) and source or "::ffff:" .. source)
  if tries == 0 then return false end
  local is_for_name = tries < limit
  if is_for_name and rate("guessed", name) < name_limit then return false end
  if lookup("origins", M.origin(txn, name)) then return false end
  if is_for_name then txn:set_var("txn.name_waits", true) end
  return true
end

return M
