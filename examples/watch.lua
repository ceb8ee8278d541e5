#!/usr/bin/env -S minivault run
-- Watches a directory, and saves each file that is new or changed once it is settled.
--
--   minivault run watch.lua DIR PREFIX [SECONDS [ROUNDS]]
--
-- Looks every SECONDS (10), and takes a file for settled when two looks in a row find it alike. Ends at Ctrl-C,
-- with nothing saved by halves, or after ROUNDS looks: then the exit code is 1 if the last one met failures.

local dir, prefix = arg[1], arg[2]
local seconds, rounds = tonumber(arg[3] or 10), tonumber(arg[4] or math.huge)
-- Times of files are whole seconds: more than one look in a second could miss a change.
if not prefix or prefix == "" or not seconds or seconds < 1 or not rounds or rounds < 1 then
  io.stderr:write("usage: minivault run watch.lua DIR PREFIX [SECONDS [ROUNDS]]\n")
  os.exit(2)
end
io.stdout:setvbuf("line") -- for what reads along, such as a journal

local told, problems = {}, {} -- the failures of the look before, and of this one
local function failed(path, err)
  if type(err) == "table" and err.code == "cancelled" then error(err, 0) end -- by Ctrl-C
  local text = path .. ": " .. tostring(err)
  problems[text] = true
  if not told[text] then io.stderr:write("failed: ", text, "\n") end
end

local function save(file)
  local name = prefix .. "/" .. file.name
  local held = vault.stat(name)
  if held and held.kind == file.kind and held.size == file.size and held.modified_at == file.modified_at then
    return -- saved before this script was started
  end
  local entry = vault.save(file.path, name)
  print(os.date("%Y-%m-%d %H:%M:%S"), entry.created and "new" or "changed", name, "v" .. entry.version)
end

local known = {} -- by path: how the last look found each file, and whether the vault holds it so
local function look()
  local found = {}
  local walk = vault.files(dir)
  while true do
    local ok, file = pcall(walk)
    if ok and not file then break end
    if not ok then
      failed(file.path or dir, file) -- a directory that cannot be read; go on with the next
    elseif file.kind ~= "directory" then
      local stamp, state = file.size .. " " .. file.modified_at, known[file.path]
      if not state or state.stamp ~= stamp then
        state = { stamp = stamp }
      elseif not state.is_saved then
        local err
        state.is_saved, err = pcall(save, file)
        if not state.is_saved then failed(file.path, err) end -- and try again at the next look
      end
      found[file.path] = state
    end
  end
  known = found
end

for round = 1, rounds do
  if round > 1 then vault.sleep(seconds) end
  told, problems = problems, {}
  local ok, err = pcall(look)
  if not ok then failed(dir, err) end -- such as a disk that comes back later
end
if next(problems) then os.exit(1) end
