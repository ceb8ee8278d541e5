-- What `help` and `?` say, from the table of bindings.

local library, bindings = ...
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

local general = [[
A line is an expression, whose value is printed and kept in _, or any Lua code; code that is not complete goes on
in the next line. Tab completes names, fields, options, paths and what the vault holds; Ctrl-R searches the history.
  ?vault.save, help(vault.save)    what a function does        :time CODE    how long it takes
  SAVE file [name]   READ name [file]   LIST [prefix]   EXIT   the commands of old
'minivault help lua' is the whole reference. The functions:
]]

function library.help(...)
  if select("#", ...) > 0 then
    local value = ...
    if value == vault then return library.help() end
    local binding = library.binding_of(value)
    if binding then
      local text = "vault." .. binding.usage .. "\n  " .. binding.summary
      if binding.options ~= "" then text = text .. "\n  Options: " .. binding.options .. "." end
      return text
    end
    if type(value) == "string" then
      return "There is no function vault." .. library.escape(value) .. "; help() lists them."
    end
    return "It is a " .. type(value) .. ": " .. library.shower(false)(value, 0)
  end
  local lines = {}
  for _, binding in ipairs(bindings) do lines[#lines + 1] = "  vault." .. binding.usage end
  return general .. concat(lines, "\n")
end

function _G.help(...) library.write(library.help(...)) end
