-- How the words of a line can go on.

local library, list_directory = ...
local getmetatable, ipairs, next, pcall, rawget, type = getmetatable, ipairs, next, pcall, rawget, type
local load_text = load
local sort, utf8_len = table.sort, utf8.len
local vault = require "vault"
local NAMES_MAX, PAGE = 5000, 512

local function add_fields(found, value, prefix, only_functions)
  local seen = 0
  while type(value) == "table" and seen < 10 do
    for key, field in next, value do
      local fits = library.is_word(key) and key:sub(1, #prefix) == prefix
      if fits and (not only_functions or type(field) == "function") then
        found[key] = true
      end
    end
    local meta = getmetatable(value)
    value, seen = type(meta) == "table" and rawget(meta, "__index") or nil, seen + 1
  end
end

local function index_of(value)
  if type(value) == "table" then return value end
  local meta = getmetatable(value)
  if type(meta) ~= "table" then return nil end
  local index = rawget(meta, "__index")
  return type(index) == "table" and index or rawget(meta, "__methods")
end

-- Looks up without calling anything.
local function lookup(value, key)
  for _ = 1, 10 do
    value = index_of(value)
    if type(value) ~= "table" then return nil end
    local field = rawget(value, key)
    if field ~= nil then return field end
    local meta = getmetatable(value)
    value = type(meta) == "table" and rawget(meta, "__index") or nil
  end
end

local function resolve(chain)
  local value, is_first = _G, true
  for part in chain:gmatch "[%a_][%w_]*" do
    local is_local, own = library.local_value(part)
    if is_first and is_local then value = own else value = lookup(value, part) end
    is_first = false
  end
  return value
end

-- Where the end of a text is: within a string, and within which calls and tables.
local function scan(text)
  local stack, at = {}, 1
  while at <= #text do
    local c = text:sub(at, at)
    if c == '"' or c == "'" then
      local from = at
      at = at + 1
      while at <= #text and text:sub(at, at) ~= c do
        at = at + (text:sub(at, at) == "\\" and 2 or 1)
      end
      if at > #text then return stack, text:sub(from + 1), text:sub(1, from - 1) end
    elseif text:find("^%-%-", at) then
      return stack, nil, nil, true
    elseif c == "(" or c == "{" or c == "[" then
      stack[#stack + 1] = {open = c, callee = text:sub(1, at - 1):match "([%a_][%w_%.:]*)%s*$", argument = 1}
    elseif c == ")" or c == "}" or c == "]" then
      stack[#stack] = nil
    elseif c == "," and #stack > 0 then
      stack[#stack].argument = stack[#stack].argument + 1
    end
    at = at + 1
  end
  return stack
end

local function binding_at(callee)
  if not callee then return nil end
  local value = resolve(callee)
  local method = callee:match ":([%a_][%w_]*)$"
  return type(value) == "function" and library.binding_of(value) or method and library.binding_of(method) or nil
end

local function parameter(binding, number)
  local count = 0
  for name in binding.usage:match "%((.-)%)":gsub("[%[%]]", ""):gmatch "[%a_|\"]+" do
    count = count + 1
    if count == number then return name end
  end
end

local locals = {path = true, dir = true}
local names = {name = true, from = true, to = true, prefix = true, glob = true}

local function paths(text, expand)
  local directory, prefix = text:match "^(.*/)([^/]*)$"
  if not directory then directory, prefix = "", text end
  local found = {}
  for _, name in ipairs(list_directory(expand and expand(directory) or directory)) do
    if name:sub(1, #prefix) == prefix and (prefix ~= "" or name:sub(1, 1) ~= ".") then
      found[directory .. name] = true
    end
  end
  return found
end

-- The names of one level of the vault, of which those of directories end in a slash: what is below one of them is
-- skipped, however much it is. Also whether there may be more.
local function vault_names(text)
  local found, directory = {}, text:match "^(.*)/[^/]*$" or ""
  local start = directory == "" and 1 or #directory + 2
  local count, after = 0, nil
  local is_whole = pcall(vault.timeout, 2, function()
    repeat
      local seen, below = 0, false
      for entry in vault.list(directory, {after = after, limit = PAGE}) do
        seen, after = seen + 1, entry.name
        local part, slash = after:sub(start):match "^([^/]*)(/?)"
        local name = after:sub(1, start - 1) .. part .. slash
        if not found[name] and name:sub(1, #text) == text then found[name], count = true, count + 1 end
        below = slash ~= "" and name
      end
      -- The page has ended in a directory, of which enough is known.
      if below then after = below .. "\u{10FFFF}" end
    until seen < PAGE or count >= NAMES_MAX
  end)
  return found, not is_whole or count >= NAMES_MAX
end

local function binding_names(text)
  local found = {}
  for _, name in ipairs(library.names) do if name:sub(1, #text) == text then found[name] = true end end
  return found
end

local function in_string(stack, text, before_quote)
  local top = stack[#stack]
  local callee = before_quote:match "([%a_][%w_%.:]*)%s*$"
  local number = 1
  if top and top.open == "(" and not callee then callee, number = top.callee, top.argument end
  if callee == "help" then return binding_names(text) end
  local binding = binding_at(callee)
  local kind = binding and parameter(binding, number)
  if kind and names[kind] then return vault_names(text) end
  if not kind or locals[kind] then return paths(text) end
  return {}
end

local function in_code(stack, text)
  local found = {}
  local chain, separator, prefix = text:match "([%a_][%w_%.:]*)([%.:])([%a_]?[%w_]*)$"
  if chain then
    add_fields(found, index_of(resolve(chain)), prefix, separator == ":")
    return found, prefix
  end
  prefix = text:match "[%a_][%w_]*$" or ""
  local top, outer = stack[#stack], stack[#stack - 1]
  local binding = top and top.open == "{" and binding_at(top.callee or outer and outer.callee)
  if binding and #binding.options > 0 then
    for _, option in ipairs(binding.options) do
      if option.name:sub(1, #prefix) == prefix then found[option.name .. " = "] = true end
    end
    return found, prefix
  end
  if prefix == "" then return found, prefix end
  add_fields(found, _G, prefix)
  add_fields(found, library.local_names(), prefix)
  for word in next, library.keywords do if word:sub(1, #prefix) == prefix then found[word] = true end end
  return found, prefix
end

local function sorted(found)
  local list = {}
  for word in next, found do list[#list + 1] = word end
  sort(list)
  return list
end

local function common(list)
  local text = list[1] or ""
  for index = 2, #list do
    local length = 0
    while length < #text and text:byte(length + 1) == list[index]:byte(length + 1) do length = length + 1 end
    text = text:sub(1, length)
  end
  return text
end

local function command_paths(text) return paths(text, library.expand) end

-- What each word of a command is.
local arguments = {SAVE = {command_paths, vault_names}, READ = {vault_names, command_paths}, LIST = {vault_names}}

local function in_command(command, text)
  local list, word, quote = library.words(text)
  local complete = arguments[command][#list + 1]
  word = word or ""
  if not complete then return {}, word end
  local found, is_part = complete(word)
  return found, word, is_part, function(insertion)
    return quote and insertion or insertion:gsub("[%s\\'\"]", "\\%0")
  end
end

local function at_start(text)
  local found = {}
  for _, word in ipairs {"SAVE ", "READ ", "LIST ", "EXIT", ":time "} do
    if word:sub(1, #text) == text then found[word] = true end
  end
  return found
end

local function in_lua(text)
  text = text:gsub("^%s*%?", ""):gsub("^%s*:time%s", "")
  local stack, string, before_quote, comment = scan(text)
  if comment then return {}, "" end
  if not string then return in_code(stack, text) end
  local quote = text:sub(#before_quote + 1, #before_quote + 1)
  -- Its escapes stand for other bytes.
  local read = load_text("return " .. quote .. string .. quote)
  local meant = read and read() or string
  local found, is_part = in_string(stack, meant, before_quote)
  return found, meant, is_part, function(insertion) return library.quoted(insertion, quote) end
end

-- What the text can go on with, and the whole words that it can become.
function library.complete(text)
  local found, typed, is_part, quoted
  local command, argument = text:match "^%s*(%u+)%s+(.*)$"
  local start = text:match "^%s*([%u:]%a*)$"
  if arguments[command] then
    found, typed, is_part, quoted = in_command(command, argument)
  else
    found, typed, is_part, quoted = in_lua(text)
    if start then for word in next, at_start(start) do found[word], typed = true, start end end
  end
  local list = sorted(found)
  -- What else there may be could go on otherwise.
  local insertion = is_part and #list > 0 and "" or common(list):sub(#typed + 1)
  -- Half a character is no text; all of a name may be none.
  while #list > 1 and insertion ~= "" and not utf8_len(insertion) do insertion = insertion:sub(1, -2) end
  if quoted then insertion = quoted(insertion) end
  for index, word in ipairs(list) do list[index] = library.escape(word) end
  return insertion, list
end
