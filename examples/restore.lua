#!/usr/bin/env -S minivault run
-- Brings a tree back from the vault, as it is now or as it was at a time, and checks the result.
--
--   minivault run restore.lua PREFIX DIR [TIME]
--
-- TIME is '2026-11-29' for the start of that day here, '2026-11-29 16:39:05', or '@SECONDS' since 1970.

local prefix, dir, at = arg[1], arg[2], arg[3]
if not dir then
  io.stderr:write("usage: minivault run restore.lua PREFIX DIR [TIME]\n")
  os.exit(2)
end

local report = vault.pull(prefix, dir, { at = at })
print(string.format("%d files written, %d were there already", report.saved, report.skipped))

-- Read everything again, and compare it with what the vault holds.
local wrong = 0
for difference in vault.compare(dir, prefix, { at = at, checksum = true }) do
  if difference.change ~= "added" then -- what was in the directory before is no error
    wrong = wrong + 1
    io.stderr:write(difference.change, ": ", difference.name, "\n")
  end
end
if wrong > 0 then error(wrong .. " files differ from the vault", 0) end
print("all files are as in the vault")
