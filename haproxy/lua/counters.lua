-- Numbers for the controller, which reads them by the runtime socket (get var proc.sallyport_<name>). All threads add to the same ones; two
-- that do so at the very same moment may count as one.

local M = {}

function M.add(txn, name, count)
  local variable = "proc.sallyport_" .. name
  txn:set_var(variable, ((tonumber(txn:get_var(variable)) or 0) + count) & 0x7FFFFFFF)
end

return M
