#!/usr/bin/env -S minivault run
-- Saves files to several vaults at once, such as one at home and one on a server.
--
--   minivault run fanout.lua VAULT... -- FILE...
--
-- A vault is a directory, made by 'minivault init', or a URL. Each file is saved under the last part of its path. What
-- fails in one vault does not stop the others; if anything failed, the exit code is 1.

local vaults, files = {}, {}
do
  local list = vaults
  for _, word in ipairs(arg) do
    if word == "--" and list == vaults then list = files else list[#list + 1] = word end
  end
end
if #vaults == 0 or #files == 0 then
  io.stderr:write("usage: minivault run fanout.lua VAULT... -- FILE...\n")
  os.exit(2)
end

local path_of = {}
for _, path in ipairs(files) do
  local name = path:match("[^/]*$")
  if path_of[name] then error("'" .. path_of[name] .. "' and '" .. path .. "' would have the same name", 0) end
  path_of[name] = path
end

local function tell(url, what, err)
  io.stderr:write("failed: ", url, ": ", what, tostring(err), "\n")
end

-- Saves all files to one vault, and returns how many were saved, with how many bytes that are new there.
local function save_all(url)
  local saved, new_bytes = 0, 0
  local connection <close> = vault.connect(url)
  vault.map(files, function(path)
    local entry = connection:save(path)
    saved, new_bytes = saved + 1, new_bytes + entry.new_bytes
  end, { on_error = function(path, err)
    tell(url, path .. ": ", err)
    return true -- go on with the other files
  end })
  return saved, new_bytes
end

local tasks, results = {}, {}
for index, url in ipairs(vaults) do tasks[index] = vault.spawn(save_all, url) end
for index, url in ipairs(vaults) do
  local ok, saved, new_bytes = tasks[index]:result()
  if not ok then tell(url, "", saved) end -- it is the error
  results[index] = ok and { saved = saved, new_bytes = new_bytes } or { saved = 0, new_bytes = 0 }
end

local is_complete = true
print(" saved  failed    new MB  vault")
for index, result in ipairs(results) do
  local failed = #files - result.saved
  print(string.format("%6d  %6d  %8.1f  %s", result.saved, failed, result.new_bytes / 1e6, vaults[index]))
  is_complete = is_complete and failed == 0
end
if not is_complete then os.exit(1) end
