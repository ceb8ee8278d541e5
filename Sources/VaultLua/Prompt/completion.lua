-- How the words of a line can go on.

local library, list_directory = ...
local getmetatable, ipairs, next, pcall, rawget, type = getmetatable, ipairs, next, pcall, rawget, type
local sort, utf8_len = table.sort, utf8.len
local vault = require "vault"

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
  return type(meta) == "table" and rawget(meta, "__index") or nil
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
  local value = _G
  for part in chain:gmatch "[%a_][%w_]*" do value = lookup(value, part) end
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

local function paths(text)
  local directory, prefix = text:match "^(.*/)([^/]*)$"
  if not directory then directory, prefix = "", text end
  local found = {}
  for _, name in ipairs(list_directory(directory)) do
    if name:sub(1, #prefix) == prefix and (prefix ~= "" or name:sub(1, 1) ~= ".") then
      found[directory .. name] = true
    end
  end
  return found
end

local function vault_names(text)
  local found, directory = {}, text:match "^(.*)/[^/]*$" or ""
  pcall(vault.timeout, 2, function()
    local after = directory == "" and 1 or #directory + 2
    local count = 0
    for entry in vault.list(directory, {limit = 5000}) do
      local part, slash = entry.name:sub(after):match "^([^/]*)(/?)"
      local name = entry.name:sub(1, after - 1) .. part .. slash
      if name:sub(1, #text) == text and not found[name] then
        found[name], count = true, count + 1
        if count > 200 then break end
      end
    end
  end)
  return found
end

local function in_string(stack, text, before_quote)
  local top = stack[#stack]
  local callee = before_quote:match "([%a_][%w_%.:]*)%s*$"
  local number = 1
  if top and top.open == "(" and not callee then callee, number = top.callee, top.argument end
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
  if binding and binding.options ~= "" then
    for option in binding.options:gmatch "[%a_]+" do
      if option:sub(1, #prefix) == prefix then found[option .. " = "] = true end
    end
    return found, prefix
  end
  if prefix == "" then return found, prefix end
  add_fields(found, _G, prefix)
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

-- What the text can go on with, and the whole words that it can become.
function library.complete(text)
  local found, typed
  local command, argument = text:match "^%s*(%u+)%s+(.*)$"
  if command == "SAVE" then
    found, typed = paths(argument), argument
  elseif command == "READ" or command == "LIST" then
    found, typed = vault_names(argument), argument
  else
    text = text:gsub("^%s*%?", ""):gsub("^%s*:time%s", "")
    local stack, string, before_quote, comment = scan(text)
    if comment then return "", {} end
    if string then
      found, typed = in_string(stack, string, before_quote), string
    else
      found, typed = in_code(stack, text)
    end
  end
  local list = sorted(found)
  local insertion = common(list):sub(#typed + 1)
  -- Half a character is no text.
  while insertion ~= "" and not utf8_len(insertion) do insertion = insertion:sub(1, -2) end
  return insertion, list
end
