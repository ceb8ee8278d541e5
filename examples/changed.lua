#!/usr/bin/env -S minivault run
-- Lists what changed in the vault since a time.
--
--   minivault run changed.lua SINCE [PREFIX]
--
-- SINCE is a number of hours or days back, 12h or 7d, or a time here as it is printed: 2026-11-29 16:39:05, 2026-11-29.

local since, prefix = arg[1], arg[2]
if not since then
  io.stderr:write("usage: minivault run changed.lua SINCE [PREFIX]\n")
  os.exit(2)
end

local function start_of(text)
  local count, unit = text:match("^(%d+)([hd])$")
  if count then return os.time() - tonumber(count) * (unit == "h" and 3600 or 86400) end
  local year, month, day, rest = text:match("^(%d%d%d%d)-(%d%d)-(%d%d)(.*)$")
  if rest == "" then rest = " 00:00:00" end
  local hour, min, sec = (rest or ""):match("^[ T](%d%d):(%d%d):?(%d*)$")
  if not hour then error("'" .. text .. "' is not a time", 0) end
  return os.time { year = year, month = month, day = day, hour = hour, min = min, sec = tonumber(sec) or 0 }
end

local from = start_of(since)

local changes = 0
for entry in vault.list(prefix, { versions = true }) do
  if entry.saved_at >= from then
    changes = changes + 1
    local what = entry.kind == "removed" and "removed" or entry.version == 1 and "new" or "changed"
    print(os.date("%Y-%m-%d %H:%M:%S", entry.saved_at), string.format("%-7s", what), entry.name, "v" .. entry.version)
  end
end
if changes == 0 then print("nothing changed") end
