-- The commands of the founding program.

local library = ...
local error, getenv, ipairs, unpack = error, os.getenv, ipairs, table.unpack
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
  local entry = vault.read(name, path)
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

-- Words of other prompts that end them, where no variable has the name.
local leaving = {exit = true, quit = true}

-- What a line does that is a command, and nil for one that is Lua.
function library.command(line)
  local command, rest = line:match "^%s*(%u+)%f[%W]%s*(.-)%s*$"
  if command == "EXIT" and rest == "" then return "exit" end
  local word = line:match "^%s*(%a+)%s*%(?%s*%)?%s*$"
  if leaving[word] and _G[word] == nil and not library.local_value(word) then return "exit" end
  local is_alone = word and word == line:match "^%s*(%a+)%s*$" and not commands[word]
  if is_alone and _G[word] == nil and not library.local_value(word) then
    local text = library.hint(line)
    if text then return function() return text end end
  end
  if not commands[command] or rest:find "^[=%(%[%.:,{]" then return nil end
  return function() return call(commands[command], rest) end
end

-- A guess at the meaning of a text that is no Lua, or the name of nothing: a function without its module or without
-- quotes.
function library.hint(text)
  local word, rest = text:match "^%s*([%a_]+)%f[^%w_]%s*(.-)%s*$"
  if not word then return nil end
  local binding = library.binding_of("vault." .. word:lower())
  if not binding or binding.name ~= word:lower() then return nil end
  if rest == "" then return ("%s is a function: %s"):format(word, binding.usage) end
  local list, last = library.words(rest)
  list[#list + 1] = last
  for index, argument in ipairs(list) do list[index] = '"' .. library.escape(argument) .. '"' end
  return ("Perhaps vault.%s(%s)?"):format(binding.name, table.concat(list, ", "))
end
