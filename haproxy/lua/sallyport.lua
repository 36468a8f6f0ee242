-- Sallyport's gateway in Lua. Loaded once for each thread: no state is kept between calls.
--
--   users.lua      authenticate                      who is it, what do they ask for, may they
--   targets.lua    read_request                      what for, where to, may anybody
--   routing.lua    route                             through which exit
--   socks5.lua     socks5_request, socks5_response   SOCKS5 as HTTP CONNECT
--   checkpage.lua  check_page                        http://ip.sallyport/
--
-- Only heads and handshakes pass through here; the bytes of a connection never do.

require("users")
require("targets")
require("routing")
require("socks5")
require("checkpage")
