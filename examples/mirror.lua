#!/usr/bin/env -S minivault run
-- Mirrors a directory into the vault every night, forgets old versions, and gives their space back.
--
--   minivault run mirror.lua DIR PREFIX [EXCLUDE...]
--
-- Prints one line, for the mail that cron sends. Failures go to standard error; everything is tried all the
-- same, and then they make the exit code 1. A line for crontab:
--
--   30 2 * * *  minivault run /usr/local/share/minivault/mirror.lua /srv/photos photos

local exclude = { "*.tmp", "*~", ".cache/", "lost+found/" }
local retention = { last = 3, daily = 7, weekly = 5, monthly = 12 }

local dir, prefix = arg[1], arg[2]
if not prefix or prefix == "" then -- with the prefix "", everything else in the vault would count as gone
  io.stderr:write("usage: minivault run mirror.lua DIR PREFIX [EXCLUDE...]\n")
  os.exit(2)
end
if arg[3] then exclude = { table.unpack(arg, 3) } end

local failures = 0
local function failed(what, err)
  failures = failures + 1
  io.stderr:write("failed: ", what, ": ", tostring(err), "\n")
  return true -- go on with what is left
end

-- The result of one step; nil where it failed, which does not keep the others from being tried.
local function try(what, step, ...)
  local ok, result = pcall(step, ...)
  if ok then return result end
  failed(what, result)
end

local pushed = try("push", function()
  -- A disk that is not mounted looks like a directory from which everything was deleted.
  local half = vault.list(prefix):count() // 2
  return vault.push(dir, prefix, { exclude = exclude, delete = true, max_delete = half, on_error = failed })
end)
local kept = try("keep", vault.keep, prefix, retention) -- never touches a current version
local freed = try("gc", vault.gc)

local parts = {}
local function tell(...) parts[#parts + 1] = string.format(...) end
if pushed then
  tell("%d saved, %d unchanged, %d removed, %.1f MB new",
    pushed.saved, pushed.skipped, pushed.removed, pushed.new_bytes / 1e6)
else
  tell("not mirrored in full") -- the tree may have been saved in part
end
if kept then tell("%d old versions forgotten", kept.dropped) end
if freed then tell("%.1f MB freed", freed.freed_bytes / 1e6) end
if failures > 0 then tell("%d FAILED", failures) end
print(prefix .. ": " .. table.concat(parts, "; "))

if failures > 0 then os.exit(1) end
