-- The locals of the prompt, which later entries know.
--
-- An entry becomes a function within one that declares the locals it mentions, and its variables are then made those
-- of before (debug.upvaluejoin). Behind each statement of the entry that declares locals, a function is handed over
-- that has them as upvalues: so they outlive the entry, as one variable that all closures share.

local library = ...
local getupvalue, upvaluejoin = debug.getupvalue, debug.upvaluejoin
local find, sub, concat, select = string.find, string.sub, table.concat, select

-- By name: a function whose only upvalue is the variable, and whether it is constant.
local kept = {}

local reserved = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until
  while]]):gmatch "%a+" do reserved[word] = true end

-- The tokens of a text: the kind (a reserved word or an operator is its own), what a name is, and where it ends.
local function tokens_of(text)
  local kinds, names, ends, at = {}, {}, {}, 1
  local function add(kind, stop, name)
    kinds[#kinds + 1], names[#kinds + 1], ends[#kinds + 1] = kind, name or false, stop
    at = stop + 1
  end
  while true do
    at = find(text, "%S", at)
    if not at then break end
    local _, opening, level = find(text, "^%[(=*)%[", at)
    local _, comment = find(text, "^%-%-", at)
    if comment then
      local _, _, equals = find(text, "^%[(=*)%[", comment + 1)
      if equals then
        local _, stop = find(text, "]" .. equals .. "]", comment + 1, true)
        if not stop then return nil end
        at = stop + 1
      else
        at = (find(text, "\n", comment, true) or #text) + 1
      end
    elseif opening then
      local _, stop = find(text, "]" .. level .. "]", opening + 1, true)
      if not stop then return nil end
      add("string", stop)
    elseif find(text, "^[%a_]", at) then
      local _, stop = find(text, "^[%w_]+", at)
      local word = sub(text, at, stop)
      if reserved[word] then add(word, stop) else add("name", stop, word) end
    elseif find(text, "^%.?%d", at) then
      local exponent = find(text, "^0[xX]", at) and "[pP]" or "[eE]"
      local stop = at
      while true do
        local _, signed = find(text, "^" .. exponent .. "[+-]", stop)
        local _, plain = find(text, "^[%w%.]", stop)
        local last = signed or plain
        if not last then break end
        stop = last + 1
      end
      add("number", stop - 1)
    elseif find(text, "^[\"']", at) then
      local quote, stop = sub(text, at, at), at + 1
      while sub(text, stop, stop) ~= quote do
        if stop > #text then return nil end
        stop = stop + (sub(text, stop, stop) == "\\" and 2 or 1)
      end
      add("string", stop)
    else
      local _, stop = find(text, "^%.%.%.", at)
      for _, operator in ipairs {"..", "::", "==", "~=", "<=", ">=", "//", "<<", ">>"} do
        if not stop and sub(text, at, at + 1) == operator then stop = at + 1 end
      end
      stop = stop or at
      add(sub(text, at, stop), stop)
    end
  end
  add("eof", #text)
  return kinds, names, ends
end

local unary = {["not"] = true, ["-"] = true, ["#"] = true, ["~"] = true}
local binary = {}
for operator in ("+ - * / // % ^ & | ~ << >> .. < <= > >= == ~= and or"):gmatch "%S+" do binary[operator] = true end

-- The statements of a text that declare locals outside of all blocks: their variables, and where they end. Nil for a
-- text that is no chunk. Its grammar is that of the manual (§9), less what the compiler refuses by itself.
local function declarations_of(text)
  local kinds, names, ends = tokens_of(text)
  if not kinds then return nil end
  local at, depth, found = 1, 0, {}
  local expression, block

  local function fail() error("no chunk", 0) end
  local function take(kind)
    if kinds[at] ~= kind then fail() end
    at = at + 1
    return names[at - 1]
  end
  local function accept(kind)
    if kinds[at] ~= kind then return false end
    at = at + 1
    return true
  end
  local function list(item) repeat item() until not accept(",") end
  local function inner(closing)
    depth = depth + 1
    block()
    depth = depth - 1
    if closing then take(closing) end
  end

  local function body()
    take("(")
    if not accept(")") then
      list(function() if not accept("...") then take("name") end end)
      take(")")
    end
    inner("end")
  end

  local function fields()
    take("{")
    while not accept("}") do
      if accept("[") then
        expression() take("]") take("=") expression()
      elseif kinds[at] == "name" and kinds[at + 1] == "=" then
        at = at + 2
        expression()
      else
        expression()
      end
      if not accept(",") and not accept(";") then take("}") break end
    end
  end

  local function arguments()
    if kinds[at] == "{" then return fields() end
    if accept("string") then return end
    take("(")
    if accept(")") then return end
    list(expression)
    take(")")
  end

  local function suffixed()
    if accept("(") then expression() take(")") else take("name") end
    while true do
      local kind = kinds[at]
      if kind == "." then
        at = at + 1
        take("name")
      elseif kind == "[" then
        at = at + 1
        expression() take("]")
      elseif kind == ":" then
        at = at + 1
        take("name") arguments()
      elseif kind == "(" or kind == "{" or kind == "string" then
        arguments()
      else
        return
      end
    end
  end

  local plain = {number = true, string = true, ["nil"] = true, ["true"] = true, ["false"] = true, ["..."] = true}
  function expression()
    repeat
      while unary[kinds[at]] do at = at + 1 end
      if plain[kinds[at]] then
        at = at + 1
      elseif kinds[at] == "{" then
        fields()
      elseif accept("function") then
        body()
      else
        suffixed()
      end
      local goes_on = binary[kinds[at]]
      if goes_on then at = at + 1 end
    until not goes_on
  end

  local function declare(variables)
    if depth == 0 then found[#found + 1] = {variables = variables, stop = ends[at - 1]} end
  end

  local function local_statement()
    if accept("function") then
      local name = take("name")
      body()
      return declare {{name = name}}
    end
    local variables = {}
    list(function()
      local variable = {name = take("name")}
      if accept("<") then
        variable.attribute = take("name")
        take(">")
      end
      variables[#variables + 1] = variable
    end)
    if accept("=") then list(expression) end
    declare(variables)
  end

  local statements = {
    [";"] = function() end,
    ["::"] = function() take("name") take("::") end,
    ["break"] = function() end,
    ["goto"] = function() take("name") end,
    ["do"] = function() inner("end") end,
    ["while"] = function() expression() take("do") inner("end") end,
    ["repeat"] = function() inner("until") expression() end,
    ["if"] = function()
      repeat expression() take("then") inner() until not accept("elseif")
      if accept("else") then inner() end
      take("end")
    end,
    ["for"] = function()
      list(function() take("name") end)
      if not accept("=") then take("in") end
      list(expression)
      take("do") inner("end")
    end,
    ["function"] = function()
      take("name")
      while accept(".") or accept(":") do take("name") end
      body()
    end,
    ["local"] = local_statement,
  }

  local closing = {["end"] = true, ["else"] = true, ["elseif"] = true, ["until"] = true, eof = true}
  function block()
    while not closing[kinds[at]] do
      if accept("return") then
        if not closing[kinds[at]] and kinds[at] ~= ";" then list(expression) end
        accept(";")
        if not closing[kinds[at]] then fail() end
        return
      end
      local statement = statements[kinds[at]]
      if statement then
        at = at + 1
        statement()
      else
        list(suffixed)
        if accept("=") then list(expression) end
      end
    end
  end

  local is_chunk = pcall(function() block() take("eof") end)
  if not is_chunk then return nil end
  local mentioned = {}
  for index = 1, #kinds do if names[index] then mentioned[names[index]] = true end end
  return found, mentioned
end

-- A function whose only upvalue is a variable of its own.
local function box_of(value) return function() return value end end

-- Keeps the variables of a statement, which `access` has as upvalues; a constant that is known when it is compiled it
-- returns without one.
local function keep(variables, access)
  for place, variable in ipairs(variables) do
    if variable.attribute ~= "close" then
      local index, box = 1, nil
      while not box do
        local name = getupvalue(access, index)
        if not name then
          box = box_of((select(place, access())))
        elseif name == variable.name then
          box = box_of()
          upvaluejoin(box, 1, access, index)
        end
        index = index + 1
      end
      kept[variable.name] = {box = box, is_constant = variable.attribute == "const"}
    end
  end
end

-- The text of an entry with what lets it use and declare locals; nil for one that does neither. Also what
-- `library.bind` needs to know of it.
function library.prepare(code)
  local found, mentioned = declarations_of(code)
  if not found then return nil end
  local heads = {}
  for name in next, mentioned do
    local variable = kept[name]
    if variable then heads[#heads + 1] = name .. (variable.is_constant and "<const>" or "") end
  end
  if #found == 0 and #heads == 0 then return nil end
  local parts, from = {}, 1
  for index, statement in ipairs(found) do
    local names = {}
    for place, variable in ipairs(statement.variables) do names[place] = variable.name end
    parts[#parts + 1] = sub(code, from, statement.stop)
    parts[#parts + 1] = (" __keep(%d, function() return %s end) "):format(index, concat(names, ", "))
    from = statement.stop + 1
  end
  parts[#parts + 1] = sub(code, from)
  local head = "local __keep" .. (#heads > 0 and ", " .. concat(heads, ", ") or "")
  return head .. " = ... return function(...) " .. concat(parts) .. "\nend", found
end

-- The function that runs an entry, of the chunk that its prepared text was compiled to.
function library.bind(chunk, found)
  local run = chunk(function(index, access) keep(found[index].variables, access) end)
  local index = 1
  while true do
    local name = getupvalue(run, index)
    if not name then return run end
    local variable = kept[name]
    if variable then upvaluejoin(run, index, variable.box, 1) end
    index = index + 1
  end
end

-- Whether there is a local of that name, and its value.
function library.local_value(name)
  local variable = kept[name]
  if not variable then return false end
  return true, variable.box()
end

-- The names of all locals.
function library.local_names() return kept end
