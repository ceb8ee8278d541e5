#!/usr/bin/env -S minivault run
-- Lists what changed in the vault since a time.
--
--   minivault run changed.lua SINCE [PREFIX]
--
-- SINCE is in seconds since 1970 UTC, or a number of hours or days back: 12h, 7d.

local since, prefix = arg[1], arg[2]
if not since then
  io.stderr:write("usage: minivault run changed.lua SINCE [PREFIX]\n")
  os.exit(2)
end

local count, unit = since:match("^(%d+)([hd])$")
local from = count and os.time() - tonumber(count) * (unit == "h" and 3600 or 86400)
  or math.tointeger(tonumber(since))
if not from then error("'" .. since .. "' is not a time", 0) end

local changes = 0
for entry in vault.list(prefix, { versions = true }) do
  if entry.saved_at > from then
    changes = changes + 1
    local what = entry.kind == "removed" and "removed" or entry.version == 1 and "new" or "changed"
    print(os.date("%Y-%m-%d %H:%M:%S", entry.saved_at), string.format("%-7s", what), entry.name, "v" .. entry.version)
  end
end
if changes == 0 then print("nothing changed") end
