-- The commands of the founding program.

local library = ...
local error, getenv, unpack = error, os.getenv, table.unpack
local vault = require "vault"

-- The words of a text, as in a shell: parts of one between quotes, or behind a backslash, mean themselves.
-- Also what the last one is that no space ends, and the quote that it has open.
function library.words(text)
  local list, word, quote, at = {}, nil, nil, 1
  while at <= #text do
    local c = text:sub(at, at)
    if c == quote then
      quote = nil
    elseif quote then
      word = word .. c
    elseif c == "\\" and at < #text then
      at = at + 1
      word = (word or "") .. text:sub(at, at)
    elseif c == '"' or c == "'" then
      quote, word = c, word or ""
    elseif c:find "%s" then
      list[#list + 1], word = word, nil
    else
      word = (word or "") .. c
    end
    at = at + 1
  end
  return list, word, quote
end

-- A path behind ~/ is one in the home directory.
function library.expand(path)
  local home = path:find "^~/" and getenv "HOME"
  return home and home .. path:sub(2) or path
end

local function size(bytes)
  local text = library.size(bytes)
  return bytes < 1024 and text or ("%s (%d bytes)"):format(text, bytes)
end

-- Each takes its words, of which there are not too many.
local commands = {SAVE = {usage = "SAVE file [name]", most = 2}, READ = {usage = "READ name [file]", most = 2},
  LIST = {usage = "LIST [prefix]", least = 0, most = 1}}

function commands.SAVE.run(path, name)
  local entry = vault.save(library.expand(path), name)
  if not entry.created then
    return ("%s is unchanged: version %d, %s"):format(library.escape(entry.name), entry.version, size(entry.size))
  end
  return ("saved %s: version %d, %s, %s of them new"):format(
    library.escape(entry.name), entry.version, size(entry.size), library.size(entry.new_bytes))
end

function commands.READ.run(name, path)
  path = library.expand(path or name:match "[^/]+$" or name)
  local entry = vault.read(name, path, {overwrite = false})
  return ("read %s into %s: %s"):format(library.escape(entry.name), library.escape(path), size(entry.size))
end

function commands.LIST.run(prefix)
  return library.show_listing(vault.list(prefix))
end

local function call(command, text)
  local list, word, quote = library.words(text)
  if quote then error("a quote " .. quote .. " is not closed", 0) end
  list[#list + 1] = word
  if #list < (command.least or 1) or #list > command.most then error("usage: " .. command.usage, 0) end
  return command.run(unpack(list))
end

-- What a line does that is a command, and nil for one that is Lua.
function library.command(line)
  local command, rest = line:match "^%s*(%u+)%f[%W]%s*(.-)%s*$"
  if command == "EXIT" and rest == "" then return "exit" end
  if not commands[command] or rest:find "^[=%(%[%.:,{]" then return nil end
  return function() return call(commands[command], rest) end
end
