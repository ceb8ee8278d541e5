-- The commands of the founding program.

local library = ...
local error, unpack = error, table.unpack
local vault = require "vault"

local function words(text)
  local list, at = {}, 1
  while true do
    at = text:match("^%s*()", at)
    if at > #text then return list end
    local word, after = text:match([[^"([^"]*)"()]], at)
    if not word then word, after = text:match([[^'([^']*)'()]], at) end
    if not word then word, after = text:match("^(%S+)()", at) end
    list[#list + 1], at = word, after
  end
end

local function expect(command, list, least, most, usage)
  if #list < least or #list > most then error(command .. " is used so: " .. usage, 0) end
  return unpack(list)
end

local commands = {}
function commands.SAVE(list)
  local path, name = expect("SAVE", list, 1, 2, "SAVE file [name]")
  local entry = vault.save(path, name)
  return ("saved %s: version %d, %d bytes, %d of them new"):format(
    library.escape(entry.name), entry.version, entry.size, entry.new_bytes)
end
function commands.READ(list)
  local name, path = expect("READ", list, 1, 2, "READ name [file]")
  path = path or name:match "[^/]+$" or name
  local entry = vault.read(name, path, {overwrite = false})
  return ("read %s into %s: %d bytes"):format(library.escape(entry.name), library.escape(path), entry.size)
end
function commands.LIST(list)
  local prefix = expect("LIST", list, 0, 1, "LIST [prefix]")
  return library.show_listing(vault.list(prefix))
end

-- What a line does that is a command, and nil for one that is Lua.
function library.command(line)
  local command, rest = line:match "^%s*(%u+)%f[%W]%s*(.-)%s*$"
  if command == "EXIT" and rest == "" then return "exit" end
  if not commands[command] or rest:find "^[=%(%[%.:,{]" then return nil end
  return function() return commands[command](words(rest)) end
end
