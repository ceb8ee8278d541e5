#!/usr/bin/env -S minivault run
-- A restore drill: reads a random sample of files back, and compares each with what was saved.
--
--   minivault run drill.lua PREFIX [COUNT [SECONDS]]
--
-- Takes COUNT (20) files under PREFIX ("" for the whole vault), and gives each SECONDS (60). The copies are made
-- in a temporary directory, below TMPDIR if that is set, which is removed at the end, also at Ctrl-C. Ends with exit
-- code 1 if any file could not be had back.

local prefix, count, seconds = arg[1], math.tointeger(tonumber(arg[2] or 20)), tonumber(arg[3] or 60)
if not prefix or not count or count < 1 or not seconds or seconds <= 0 then
  io.stderr:write("usage: minivault run drill.lua PREFIX [COUNT [SECONDS]]\n")
  os.exit(2)
end

-- Reservoir sampling: every file has the same chance, and no more than the sample is held in memory.
local sample, total = {}, 0
for entry in vault.list(prefix) do
  if entry.kind == "file" then
    total = total + 1
    local place = total <= count and total or math.random(total)
    if place <= count then sample[place] = entry end
  end
end
if total == 0 then error("there are no files under '" .. prefix .. "'", 0) end -- a drill of nothing proves nothing

local made = vault.exec { "mktemp", "-d" }
if made.code ~= 0 then error("cannot make a temporary directory: " .. made.stderr:match("[^\n]*"), 0) end
local dir = made.stdout:sub(1, -2) -- without its newline
local _ <close> = setmetatable({}, { __close = function()
  local is_removed, problem = os.remove(dir)
  if not is_removed then io.stderr:write("copies are left behind: ", problem, "\n") end
end })

local copies, bytes, failures = 0, 0, 0
local function check(entry)
  copies = copies + 1
  local copy = dir .. "/" .. copies
  local ok, digest = pcall(vault.timeout, seconds, function()
    -- The version that was listed: the file may have a newer one by now.
    vault.read(entry.name, copy, { version = entry.version })
    return vault.digest(copy)
  end)
  os.remove(copy) -- at once: the sample need not fit on the disk
  if not ok then error(digest, 0) end
  if digest ~= entry.digest then error("the copy differs from what was saved", 0) end
  bytes = bytes + entry.size
end

vault.map(sample, check, { on_error = function(entry, err)
  if type(err) == "table" and err.code == "cancelled" then return false end
  failures = failures + 1
  io.stderr:write("failed: ", entry.name, ": ", tostring(err), "\n")
  return true -- go on with the other files
end })

print(string.format("%s: %d of %d files tried, %d are as saved (%.1f MB), %d failed",
  failures == 0 and "GOOD" or "BAD", #sample, total, #sample - failures, bytes / 1e6, failures))
if failures > 0 then os.exit(1, true) end
