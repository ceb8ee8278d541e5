-- Has ClamAV look at everything before it enters the vault. What is infected goes to a prefix of its own, which only
-- those who are granted it can read; what cannot be scanned is refused.
--
--   minivault serve --hooks virusscan.lua --hooks-exec clamdscan

local quarantine = "quarantine/"
-- A scan takes its time, and others do not wait for it.
local seconds_max = 120

vault.on("before_save", {priority = 100, timeout = seconds_max}, function(event)
  if event.size == 0 or event.name:sub(1, #quarantine) == quarantine then return end
  local scan = event:pipe({"clamdscan", "--no-summary", "--infected", "-"}, {timeout = seconds_max - 10})
  if scan.code == 0 then
    event:tag("scanned", os.date "!%Y-%m-%d")
  elseif scan.code == 1 then
    local found = scan.stdout:match ": (.-) FOUND" or "unknown"
    vault.log.warn("%s sent %s, infected with %s", event.user, event.name, found)
    event:rename(quarantine .. event.user .. "/" .. event.name)
    event:tag("infected", found)
  else
    error("clamdscan ended with " .. scan.code .. ": " .. scan.stderr)
  end
end)

-- Nobody takes anything out of there by its new name either.
vault.on("before_read", {match = "/quarantine/**"}, function(event)
  if event.user ~= "security" then return event:reject "it is in quarantine" end
end)
