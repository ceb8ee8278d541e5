-- Forgets old versions every night, and gives their space back on Sundays. It runs for every vault of the server.
--
--   minivault serve --hooks retention.lua

local rules = {
  {"", {within = "2d", daily = 14, weekly = 8, monthly = 24}},
  {"scratch", {last = 1, within = "1d"}},
}

vault.every({at = "03:00"}, {timeout = 3600}, function(event)
  for _, rule in ipairs(rules) do
    local report = vault.keep(rule[1], rule[2])
    if report.dropped > 0 then
      vault.log.info("%s: dropped %d versions of '%s'", event.vault, report.dropped, rule[1])
    end
  end
  if os.date("!%w", event.time) == "0" then
    local report = vault.gc()
    vault.log.info("%s: freed %d bytes", event.vault, report.freed_bytes)
  end
end)
