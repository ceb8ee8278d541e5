-- Makes the environment that hooks run in: what they may use, and nothing by which they could reach or change the rest.
local log_line = ...
local debug_getmetatable, registry = debug.getmetatable, debug.getregistry
local error, getmetatable, load, next, rawget, rawset, select, setmetatable, tostring, type =
  error, getmetatable, load, next, rawget, rawset, select, setmetatable, tostring, type
local concat, pack = table.concat, table.pack

local protected = setmetatable({}, {__mode = "k"})

-- A view of a table that cannot be written to. Its pairs go over a copy: what they go over could be written to.
local function frozen(name, values)
  local view = setmetatable({}, {
    __index = values,
    __newindex = function(_, key)
      local what = name == "_G"
        and ("a hooks file has no globals of its own: make '%s' local"):format(tostring(key))
        or ("'%s.%s' cannot be changed"):format(name, tostring(key))
      error(what, 2)
    end,
    __pairs = function()
      local copy = {}
      for key, value in next, values do copy[key] = value end
      return next, copy, nil
    end,
    __metatable = false,
  })
  protected[view] = true
  return view
end

local function pick(library, names)
  local picked = {}
  for name in names:gmatch "%S+" do picked[name] = library[name] end
  return picked
end

local function copy(library)
  local values = {}
  for name, value in next, library do values[name] = value end
  return values
end

-- Lua finds the methods of strings in this table, whatever hooks see under its name.
rawset(string, "dump", nil)
debug_getmetatable("").__metatable = false
registry()["vault.error"].__metatable = false

local values = pick(_G,
  "_VERSION assert error ipairs next pairs pcall rawequal rawget rawlen select tonumber tostring type xpcall")
local environment = frozen("_G", values)
values._G = environment

function values.getmetatable(value)
  if type(value) ~= "table" then return false end
  return getmetatable(value)
end

function values.setmetatable(object, meta)
  if type(meta) == "table" then
    for _, name in next, {"__gc", "__mode"} do
      if rawget(meta, name) ~= nil then error(("hooks cannot use '%s'"):format(name), 2) end
    end
  end
  return setmetatable(object, meta)
end

function values.rawset(object, key, value)
  if protected[object] or type(object) == "table" and getmetatable(object) == false then
    error("this table cannot be changed", 2)
  end
  return rawset(object, key, value)
end

function values.load(chunk, name, mode, ...)
  if type(chunk) == "function" then
    local pieces = {}
    repeat
      local piece = chunk()
      if piece ~= nil and type(piece) ~= "string" then return nil, "reader function must return a string" end
      pieces[#pieces + 1] = piece
    until piece == nil or piece == ""
    chunk = concat(pieces)
  end
  if mode ~= nil and not tostring(mode):find("t", 1, true) then return nil, "hooks can load text only" end
  if select("#", ...) > 0 then return load(chunk, name or "=(load)", "t", (...)) end
  return load(chunk, name or "=(load)", "t", environment)
end

function values.collectgarbage(what)
  if what ~= nil and what ~= "count" and what ~= "collect" then
    error(("hooks cannot ask for '%s' of 'collectgarbage'"):format(tostring(what)), 2)
  end
  return collectgarbage(what)
end

function values.print(...)
  local words = pack(...)
  for index = 1, words.n do words[index] = tostring(words[index]) end
  log_line("info", concat(words, "\t"))
end

values.coroutine = frozen("coroutine", pick(coroutine, "create isyieldable resume running status wrap yield"))
values.math = frozen("math", copy(math))
values.os = frozen("os", pick(os, "clock date difftime time"))
values.string = frozen("string", copy(string))
values.table = frozen("table", copy(table))
values.utf8 = frozen("utf8", copy(utf8))

return environment, values, frozen
