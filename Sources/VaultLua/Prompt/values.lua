-- How the values of a line are shown.

local library, show_time = ...
local getmetatable, ipairs, next, pcall, rawget, rawlen, select, tostring, type =
  getmetatable, ipairs, next, pcall, rawget, rawlen, select, tostring, type
local math_type, format, rep, sort, concat = math.type, string.format, string.rep, table.sort, table.concat
local min, utf8_len = math.min, utf8.len
local output, null = io.stdout, require "vault".json.null

function library.write(text) output:write(text, "\n") output:flush() end
function library.flush() output:flush() end

local NODES_MAX, DEPTH_MAX, ITEMS_MAX, STRING_MAX, ENTRIES_MAX = 2000, 6, 100, 4000, 50
local escapes = {["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ["\\"] = "\\\\"}
local keywords = {}
library.keywords = keywords
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then
  true until while]]):gmatch "%a+" do keywords[word] = true end

-- A text as it can be written between quotes.
function library.quoted(text, quote)
  text = text:gsub("[%c\\" .. quote .. "]", function(c)
    if c == quote then return "\\" .. c end
    return escapes[c] or format("\\x%02X", c:byte())
  end)
  if utf8_len(text) then return text end
  local parts, at = {}, 1
  while at <= #text do
    local _, bad = utf8_len(text, at)
    parts[#parts + 1] = text:sub(at, (bad or #text + 1) - 1)
    if bad then parts[#parts + 1] = format("\\x%02X", text:byte(bad)) end
    at = (bad or #text) + 1
  end
  return concat(parts)
end

function library.escape(text) return library.quoted(text, '"') end

local function show_string(text)
  if #text <= STRING_MAX then return '"' .. library.escape(text) .. '"' end
  return format('"%s"… (%d bytes)', library.escape(text:sub(1, STRING_MAX)), #text)
end

function library.is_word(key)
  return type(key) == "string" and key:find "^[%a_][%w_]*$" and not keywords[key]
end

local order = {number = 1, string = 2, boolean = 3}
local function before(a, b)
  local x, y = order[type(a)] or 4, order[type(b)] or 4
  if x ~= y then return x < y end
  if x <= 2 then return a < b end
  return tostring(a) < tostring(b)
end

-- What a number in a field of an entry says to people.
local function meaning(key, value)
  if math_type(value) ~= "integer" then return nil end
  if key == "mode" and value >= 0 then return format("0%o", value) end
  if type(key) == "string" and key:find "_at$" then return show_time(value, "second") end
end

local function own_text(value)
  local meta = getmetatable(value)
  if type(meta) ~= "table" or rawget(meta, "__tostring") == nil then return nil end
  local ok, text = pcall(tostring, value)
  return ok and type(text) == "string" and text or "(an error in __tostring)"
end

function library.shower(colors)
  local function paint(color, text) return colors and "\27[" .. color .. "m" .. text .. "\27[0m" or text end
  local nodes, path = 0, {}
  local show

  local function show_key(key)
    if library.is_word(key) then return key end
    return "[" .. (type(key) == "string" and show_string(key) or tostring(key)) .. "]"
  end

  -- The items of a table, and whether one takes several lines.
  local function items_of(value, depth)
    local items, long, count, length = {}, false, 0, rawlen(value)
    local function add(prefix, item, note)
      count = count + 1
      if count > ITEMS_MAX or nodes > NODES_MAX then return end
      local text = show(item, depth + 1)
      long = long or text:find("\n", 1, true) ~= nil
      items[#items + 1] = prefix .. text .. (note and paint("90", " (" .. note .. ")") or "")
    end
    for index = 1, min(length, ITEMS_MAX + 1) do add("", rawget(value, index)) end
    count = math.max(count, length)
    local keys, others = {}, 0
    for key in next, value do
      if not (math_type(key) == "integer" and key >= 1 and key <= length) then
        others = others + 1
        if others <= 10 * ITEMS_MAX then keys[others] = key end
      end
    end
    sort(keys, before)
    for _, key in ipairs(keys) do
      local field = rawget(value, key)
      add(show_key(key) .. " = ", field, meaning(key, field))
    end
    count = count + others - #keys
    if count > #items then items[#items + 1] = paint("90", format("… (%d more)", count - #items)) end
    return items, long
  end

  local function plain_length(text) return #text:gsub("\27%[%d*m", "") end

  local function show_table(value, depth)
    if path[value] then return paint("90", "<cycle>") end
    if next(value) == nil then return "{}" end
    if depth > DEPTH_MAX or nodes > NODES_MAX then return paint("90", "{…}") end
    path[value] = true
    local items, long = items_of(value, depth)
    path[value] = nil
    local line = "{" .. concat(items, ", ") .. "}"
    if not long and plain_length(line) + 2 * depth <= 96 then return line end
    local indent = rep("  ", depth)
    for index, item in ipairs(items) do items[index] = indent .. "  " .. item end
    return "{\n" .. concat(items, ",\n") .. "\n" .. indent .. "}"
  end

  function show(value, depth)
    nodes = nodes + 1
    local kind = type(value)
    if kind == "string" then return paint("32", show_string(value)) end
    if kind == "number" then return paint("36", tostring(value)) end
    if kind == "boolean" or kind == "nil" then return paint("33", tostring(value)) end
    if kind == "function" then
      local binding = library.binding_of(value)
      return paint("35", binding and "function: " .. binding.usage or tostring(value))
    end
    if value == null then return paint("33", "null") end
    local text = own_text(value)
    if text then return depth == 0 and text or paint("35", library.escape(text)) end
    if kind == "table" then return show_table(value, depth) end
    return paint("35", tostring(value))
  end
  return show
end

function library.size(bytes)
  if bytes < 1024 then return format("%d B", bytes) end
  local unit = 0
  repeat bytes, unit = bytes / 1024, unit + 1 until bytes < 1000 or unit == 6
  return format("%.1f %siB", bytes, ("KMGTPE"):sub(unit, unit))
end

-- The first entries of a listing, which keeps them, as lines.
function library.show_listing(listing)
  local lines = {}
  for index, entry in ipairs(listing:peek(ENTRIES_MAX + 1)) do
    if index > ENTRIES_MAX then
      lines[index] = "… (there are more)"
    else
      local text = library.escape(entry.name)
      if entry.kind ~= "file" then text = text .. " (" .. entry.kind .. ")" end
      lines[index] = format("%s  %10s  %s", show_time(entry.modified_at, "minute"), library.size(entry.size), text)
    end
  end
  return #lines > 0 and concat(lines, "\n") or "(nothing)"
end

local function is_listing(value)
  local meta = type(value) == "userdata" and getmetatable(value)
  return type(meta) == "table" and meta.__name == "vault listing"
end

-- The text for the results of a line.
function library.show(colors, ...)
  local texts, long = {}, false
  -- The other values for a generic 'for' say nothing more.
  local is_iterator = select("#", ...) == 4 and type((...)) == "userdata" and select(4, ...) == ...
  for index = 1, is_iterator and 1 or select("#", ...) do
    local value = select(index, ...)
    if is_listing(value) then
      texts[index] = library.show_listing(value)
    elseif value == _G.help and value then
      texts[index] = library.help()
    else
      texts[index] = library.shower(colors)(value, 0)
    end
    long = long or texts[index]:find("\n", 1, true) ~= nil
  end
  return concat(texts, long and "\n" or "\t")
end
