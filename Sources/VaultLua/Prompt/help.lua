-- What `help` and `?` say, from the table of bindings.

local library, bindings, methods = ...
local ipairs, rawget, select, setmetatable, type = ipairs, rawget, select, setmetatable, type
local concat = table.concat
local vault = require "vault"

library.names = {}
for index, binding in ipairs(bindings) do library.names[index] = binding.name end

local functions = setmetatable({}, {__mode = "k"})
for _, binding in ipairs(bindings) do
  local value = vault
  for part in binding.name:gmatch "[^.]+" do value = type(value) == "table" and rawget(value, part) or nil end
  if type(value) == "function" then functions[value] = binding end
end

-- The binding of a function, or of its name.
function library.binding_of(value)
  if type(value) == "function" then return functions[value] end
  if type(value) ~= "string" then return nil end
  local name = value:gsub("^vault%.", "")
  for _, binding in ipairs(bindings) do
    if binding.name == name or binding.name:match "[^.]+$" == name then return binding end
  end
end

local function method_of(name)
  if type(name) ~= "string" then return nil end
  name = name:gsub(":", ".")
  for _, method in ipairs(methods) do
    if method.name == name or method.name:match "[^.]+$" == name then return method end
  end
end

-- Lines of whole words, as wide as can be read.
local function wrapped(text, indent)
  local lines, line = {}, indent
  for word in text:gmatch "%S+" do
    if #line + 1 + #word > 96 and line:find "%S" then lines[#lines + 1], line = line, (indent:gsub("%S", " ")) end
    line = line .. (line:find "%S$" and " " or "") .. word
  end
  lines[#lines + 1] = line
  return concat(lines, "\n")
end

local function described(documentation)
  local lines = {documentation.usage, wrapped(documentation.summary, "  ")}
  for _, option in ipairs(documentation.options or {}) do
    lines[#lines + 1] = wrapped(option.name .. ": " .. option.text, "    ")
  end
  return concat(lines, "\n")
end

local general = [[
An entry is an expression, whose value is printed and kept in _, or any Lua code; code that is not complete goes on
in the next line, and is edited as a whole. Alt-Enter begins a line anywhere; what is pasted is run at Enter, as one
piece. Locals stay: later entries know them, until 'local' makes them anew; what is closed by its entry is gone.
Tab completes names, fields, options, paths and what the vault holds; Ctrl-R searches the history; Ctrl-Z stops the
program until 'fg'; three Ctrl-C within two seconds end it where nothing else helps.
  ?vault.save, help(vault.save)    what a function does        :time CODE    how long it takes
  SAVE file [name]   READ name [file]   LIST [prefix]   EXIT   the commands of old
'minivault help lua' is the whole reference. The functions:
]]

function library.help(...)
  if select("#", ...) > 0 then
    local value = ...
    if value == vault then return library.help() end
    local binding = library.binding_of(value)
    local documentation = binding or method_of(value)
    if documentation then return described(documentation) end
    if type(value) == "string" then
      return "There is no function " .. library.escape(value) .. "; help() lists them."
    end
    return "It is a " .. type(value) .. ": " .. library.shower(false)(value, 0)
  end
  local lines = {}
  for _, binding in ipairs(bindings) do lines[#lines + 1] = "  " .. binding.usage end
  for _, method in ipairs(methods) do lines[#lines + 1] = "  " .. method.usage end
  return general .. concat(lines, "\n")
end

function _G.help(...) library.write(library.help(...)) end
