#!/usr/bin/env -S minivault run
-- Saves directory trees into the vault, forgets old versions, and reports what happened.
--
--   minivault run backup.lua DIR...
--
-- Each tree is saved under its directory's last part: /home/me/photos under photos/. Ends with exit
-- code 1 if anything failed; whatever could be saved is saved all the same.

local exclude = { "*.tmp", "*~", ".cache/", "node_modules/" }
local retention = { last = 3, daily = 7, weekly = 4, monthly = 12, within = "2d" }

if #arg == 0 then
  io.stderr:write("usage: minivault run backup.lua DIR...\n")
  os.exit(2)
end

local function megabytes(bytes)
  return string.format("%.1f MB", bytes / 1e6)
end

-- The name that a tree is saved under: the last part of its path.
local function prefix_of(dir)
  local name = dir:gsub("/+$", ""):match("[^/]+$")
  if not name or name == "." or name == ".." then
    error("cannot tell a name from the directory '" .. dir .. "': give its full path", 0)
  end
  return name
end

local failures = 0
local function failed(path, err)
  failures = failures + 1
  io.stderr:write("failed: ", path, ": ", tostring(err), "\n")
  return true -- go on with the other files
end

local seen = {}
for _, dir in ipairs(arg) do
  local ok, err = pcall(function()
    local prefix = prefix_of(dir)
    if seen[prefix] then
      error("'" .. seen[prefix] .. "' and '" .. dir .. "' would both be saved under '" .. prefix .. "'", 0)
    end
    seen[prefix] = dir

    local report = vault.push(dir, prefix, { exclude = exclude, delete = true, on_error = failed })
    print(string.format("%s: %d saved, %d unchanged, %d removed; %s, %s of it new",
      prefix, report.saved, report.skipped, report.removed, megabytes(report.bytes), megabytes(report.new_bytes)))

    local kept = vault.keep(prefix, retention)
    if kept.dropped > 0 then
      print(string.format("%s: %d old versions forgotten", prefix, kept.dropped))
    end
  end)
  if not ok then failed(dir, err) end
end

if failures > 0 then
  io.stderr:write(failures, " failed\n")
  os.exit(1)
end
