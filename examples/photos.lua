#!/usr/bin/env -S minivault run
-- Imports photos under photos/YEAR/MONTH/, tagged with where they come from.
--
--   minivault run photos.lua DIR SOURCE
--
-- SOURCE is the camera, card or person: it becomes a tag, like the time of the import and the path below DIR.
-- A photo that the vault holds under photos/ already, whatever its name, is skipped; a different one of the same
-- name stays, and the new one gets -2 behind its name.

local extensions = { "jpg", "jpeg", "heic", "png", "tif", "dng", "nef", "cr2", "cr3", "arw", "raf", "mov", "mp4" }

local dir, source = arg[1], arg[2]
if not source then
  io.stderr:write("usage: minivault run photos.lua DIR SOURCE\n")
  os.exit(2)
end

-- Patterns tell upper from lower case, and cameras write both.
local patterns = {}
for index, extension in ipairs(extensions) do
  patterns[index] = "*." .. extension:gsub("%a", function(letter) return "[" .. letter .. letter:upper() .. "]" end)
end

local imported, skipped, failures, bytes = 0, 0, 0, 0
local function failed(path, err)
  failures = failures + 1
  io.stderr:write("failed: ", path, ": ", tostring(err), "\n")
end

-- The content that the vault holds, or that is being saved.
local held = {}
for entry in vault.list("photos") do
  if entry.kind == "file" then held[entry.digest] = true end
end

local batch = os.date("%Y-%m-%d %H:%M:%S")
local function import(photo)
  local digest = vault.digest(photo.path)
  if held[digest] then
    skipped = skipped + 1
    return
  end
  held[digest] = true -- before the save, while which other photos have their turn
  local folder = os.date("photos/%Y/%m/", photo.modified_at)
  local stem, extension = photo.name:match("([^/]*)(%.[^/]*)$")
  local options = { if_version = 0, tags = { source = source, batch = batch, path = photo.name } }
  for number = 1, math.huge do
    local name = folder .. stem .. (number > 1 and "-" .. number or "") .. extension
    local ok, result = pcall(vault.save, photo.path, name, options)
    if ok then
      imported, bytes = imported + 1, bytes + result.size
      return
    elseif result.code ~= "exists" or not vault.exists(name) then -- no photo of that name stood in the way
      held[digest] = nil
      error(result, 0)
    end
  end
end

-- The next photo: a directory that cannot be read does not end the walk.
local walk = vault.files(dir, { include = patterns })
local function next_photo()
  while true do
    local ok, file = pcall(walk)
    if not ok then
      failed(file.path or dir, file)
    elseif not file or file.kind == "file" then
      return file
    end
  end
end

vault.map(next_photo, import, { on_error = function(photo, err)
  failed(photo.path, err)
  return true -- go on with the other photos
end })
print(string.format("%d photos imported (%.1f MB), %d held already, %d failed",
  imported, bytes / 1e6, skipped, failures))
if failures > 0 then os.exit(1) end
