-- Sallyport's gateway in Lua. Loaded once for each thread; pending.lua and preparing.lua keep state between calls.
--
--   pending.lua    enter                             may another one of this source come in
--   users.lua      authenticate                      who is it, what do they ask for, may they
--   parameters.lua                                   what stands behind a name
--   guesses.lua                                      who has sent too many wrong passwords
--   targets.lua    read_request                      what for, where to, may anybody
--   routing.lua    route                             through which exit
--   preparing.lua  prepare                           does that exit reach it, or another one
--   demands.lua                                      asks the controller to open a country
--   socks5.lua     socks5_request, socks5_connect, socks5_response   SOCKS5 as HTTP CONNECT
--   checkpage.lua  check_page                        http://ip.sallyport/
--   status.lua     tell_status, note_refusal         what users are told of themselves
--   refusals.lua   refuse_with_page                  a refusal as a page, for browsers
--
-- Only heads and handshakes pass through here; the bytes of a connection never do.

require("pending")
require("users")
require("targets")
require("routing")
require("preparing")
require("socks5")
require("checkpage")
require("status")
require("refusals")
