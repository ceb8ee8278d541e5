-- Declares the hooks of a file, and runs them on events.
local program, sandbox = ...
local getinfo, real_metatable, traceback = debug.getinfo, debug.getmetatable, debug.traceback
local error, ipairs, next, pcall, select, setmetatable = error, ipairs, next, pcall, select, setmetatable
local tostring, type, xpcall = tostring, type, xpcall
local tointeger, match = math.tointeger, string.match
local encode, decode = vault.json.encode, vault.json.decode
local log_line, now = program.log, program.now

local environment, globals, frozen = sandbox(log_line)

-- Hooks by their numbers, with what the server is told of each; nil once the file is loaded.
local functions, declared = {}, {}
local is_loading = false

local function bad(level, number, name, problem)
  error(("bad argument #%d to '%s' (%s)"):format(number, name, problem), level + 1)
end

local function is_callable(value)
  if type(value) == "function" then return true end
  local meta = type(value) == "table" and getmetatable(value)
  return type(meta) == "table" and meta.__call ~= nil
end

-- MARK: Declaring

local kinds = {
  before_save = "deciding", before_read = "deciding", before_remove = "deciding", login = "deciding",
  save = "telling", read = "telling", remove = "telling", rename = "telling",
}

local units = {s = 1, m = 60, h = 3600, d = 86400, w = 604800}

-- A span of time in seconds that is given as text such as '90s'; another value as it is.
local function seconds_of(value)
  if type(value) ~= "string" then return value end
  local count, unit = match(value, "^(%d+)([smhdw]?)$")
  count = count and tointeger(count)
  return count and count * (units[unit] or 1)
end

local function is_count(value, max) return type(value) == "number" and value > 0 and value <= max end

local checks = {
  match = function(value) return type(value) == "string" and value ~= "", "a glob expected" end,
  priority = function(value) return type(value) == "number" and value == value, "a number expected" end,
  timeout = function(value)
    return is_count(seconds_of(value), 86400), "a number of seconds expected, or text such as '90s'"
  end,
  on_error = function(value) return value == "accept" or value == "reject", "'accept' or 'reject' expected" end,
  from_hooks = function(value) return type(value) == "boolean", "a boolean expected" end,
}

local function checked(options, name, allowed)
  if options == nil then return {} end
  if type(options) ~= "table" then bad(3, 2, name, "table expected, got " .. type(options)) end
  for key, value in next, options do
    if not allowed[key] then bad(3, 2, name, ("unknown option '%s'"):format(tostring(key))) end
    local is_right, problem = checks[key](value)
    if not is_right then bad(3, 2, name, ("field '%s': %s"):format(key, problem)) end
  end
  return options
end

local function declare(name, f, declaration)
  if not is_loading then error(("'%s' belongs at the top of the hooks file"):format(name), 3) end
  local where = getinfo(3, "Sl")
  declaration.place = ("%s:%d"):format(where.short_src, where.currentline)
  declared[#declared + 1] = declaration
  functions[#declared] = f
end

local for_all = {match = true, priority = true, timeout = true, from_hooks = true}
local for_deciding = {match = true, priority = true, timeout = true, from_hooks = true, on_error = true}
local for_login = {priority = true, timeout = true, on_error = true}
-- A client waits no longer for its login.
local login_seconds_max = 15

local function on(kind, options, f)
  if kinds[kind] == nil then
    bad(2, 1, "on", ("before_save, before_read, before_remove, login, save, read, remove or rename expected, got '%s'")
      :format(tostring(kind)))
  end
  if f == nil then options, f = nil, options end
  local is_deciding = kinds[kind] == "deciding"
  local given = checked(options, "on", kind == "login" and for_login or is_deciding and for_deciding or for_all)
  if not is_callable(f) then bad(2, options == nil and 2 or 3, "on", "function expected, got " .. type(f)) end
  local timeout = seconds_of(given.timeout) or (is_deciding and 2 or 60)
  if kind == "login" and timeout > login_seconds_max then
    bad(2, 2, "on", ("field 'timeout': a login waits %d seconds at most"):format(login_seconds_max))
  end
  declare("on", f, {
    kind = kind, match = given.match, priority = given.priority or 0, timeout = timeout,
    accepts = given.on_error == "accept", from_hooks = given.from_hooks or false,
  })
end

local function every(interval, options, f)
  if f == nil then options, f = nil, options end
  local given = checked(options, "every", {timeout = true})
  if not is_callable(f) then bad(2, options == nil and 2 or 3, "every", "function expected, got " .. type(f)) end
  local declaration = {kind = "every", priority = 0, timeout = seconds_of(given.timeout) or 60}
  if type(interval) == "table" then
    for key in next, interval do
      if key ~= "at" then bad(2, 1, "every", ("unknown field '%s'"):format(tostring(key))) end
    end
    local hour, minute = match(tostring(interval.at), "^(%d%d):(%d%d)$")
    hour, minute = tointeger(hour), tointeger(minute)
    if not hour or hour > 23 or minute > 59 then bad(2, 1, "every", "field 'at': a time such as '03:00' expected") end
    declaration.day = hour * 3600 + minute * 60
  else
    local count, unit = match(tostring(interval), "^(%d+)([smhdw])$")
    local seconds = count and tointeger(count) * units[unit] or tointeger(interval)
    if not seconds or seconds < 1 or seconds > 31536000 then
      bad(2, 1, "every", "a time such as '30s', '15m', '1h' or {at = '03:00'} expected")
    end
    declaration.interval = seconds
  end
  declare("every", f, declaration)
end

-- MARK: What hooks keep

local kv = {}

function kv.get(key)
  local text = program.fetch(key)
  if text == "" then return nil end
  return decode(text)
end

function kv.set(key, value)
  local text = value == nil and "" or encode(value)
  repeat
    local _, version = program.fetch(key)
  until program.store(key, text, version)
end

local tries_max = 1000

function kv.update(key, f)
  if not is_callable(f) then bad(2, 2, "update", "function expected, got " .. type(f)) end
  for _ = 1, tries_max do
    local text, version = program.fetch(key)
    local value
    if text ~= "" then value = decode(text) end
    value = f(value)
    if program.store(key, value == nil and "" or encode(value), version) then return value end
  end
  error(("'%s' is changed by too many at once"):format(tostring(key)), 2)
end

function kv.incr(key, ...)
  local amount, id = ...
  if select("#", ...) == 0 then amount = 1 end
  if type(amount) ~= "number" then bad(2, 2, "incr", "number expected, got " .. type(amount)) end
  if id ~= nil and type(id) ~= "string" then bad(2, 3, "incr", "string expected, got " .. type(id)) end
  return decode(program.add(key, amount, id or ""))
end

do
  local module = {}
  for name, value in next, vault do
    module[name] = type(value) == "table" and frozen("vault." .. name, value) or value
  end
  module.on, module.every, module.kv = on, every, frozen("vault.kv", kv)
  globals.vault = frozen("vault", module)
end

-- MARK: Events

-- What is known of the event that hooks run on. What a hook has kept of another one is over.
local current
local verdict = setmetatable({}, {__tostring = function() return "a verdict" end, __metatable = false})
local methods = {}

local event_meta

local function state_of(event, name)
  if current and event == current.event then return current end
  if type(event) ~= "table" or real_metatable(event) ~= event_meta then
    bad(3, 1, name, "event expected: call it as event:" .. name .. "(...)")
  end
  error("this event is over", 3)
end

local function only_for(is_right, state, name, allowed)
  if not is_right then
    error(("event:%s(...) is for %s, not for '%s'"):format(name, allowed, state.call.kind), 3)
  end
end

function methods:reject(reason)
  local state = state_of(self, "reject")
  only_for(kinds[state.call.kind] == "deciding", state, "reject", "events that have not happened yet")
  if reason ~= nil and type(reason) ~= "string" and type(reason) ~= "number" then
    bad(2, 1, "reject", "string expected, got " .. type(reason))
  end
  if state.rejection == nil then
    state.rejection = reason == nil and "no reason was given" or tostring(reason)
    -- Whatever becomes of the hook after.
    program.reject(state.rejection)
  end
  return verdict
end

function methods:rename(name)
  local state = state_of(self, "rename")
  only_for(state.call.kind == "before_save", state, "rename", "'before_save'")
  if type(name) ~= "string" then bad(2, 1, "rename", "string expected, got " .. type(name)) end
  local problem = program.problem_of_name(name)
  if problem then bad(2, 1, "rename", problem) end
  state.name, state.is_changed = name, true
end

function methods:tag(key, value)
  local state = state_of(self, "tag")
  only_for(state.call.kind == "before_save", state, "tag", "'before_save'")
  if type(key) ~= "string" or key == "" or not utf8.len(key) then bad(2, 1, "tag", "the name of a tag expected") end
  if value ~= nil and value ~= false and type(value) ~= "string" and type(value) ~= "number" then
    bad(2, 2, "tag", "string expected, got " .. type(value))
  end
  if value and not utf8.len(value) then bad(2, 2, "tag", "invalid UTF-8 in string") end
  state.is_changed, state.tags = true, state.tags or {}
  state.tags[key] = value and tostring(value) or false
end

local function content_of(state)
  if not state.file then
    local file = program.content()
    -- Another task may have asked meanwhile.
    if state.file then file:close() else state.file = file end
  end
  return state.file
end

function methods:read(format)
  local state = state_of(self, "read")
  return content_of(state):read(format == nil and "a" or format)
end

function methods:lines(...)
  return content_of(state_of(self, "lines")):lines(...)
end

function methods:path()
  state_of(self, "path")
  return program.path()
end

function methods:pipe(words, options)
  state_of(self, "pipe")
  return program.pipe(words, options)
end

-- The other fields of an event, in the order of 'pairs'; what is asked for is made then.
local fields = {
  "id", "kind", "name", "from", "size", "digest", "version", "previous", "user", "peer", "time", "tags", "attempt",
  "vault", "entry",
}
local is_field = {}
for _, name in ipairs(fields) do is_field[name] = true end

local function field_of(event, key)
  local state = current
  if not state or event ~= state.event then error("this event is over", 3) end
  local value = state.call[key]
  if value == nil and is_field[key] then
    value = program.field(key)
    state.call[key] = value
  end
  return value
end

event_meta = {
  __index = function(event, key)
    local method = methods[key]
    if method ~= nil then return method end
    return field_of(event, key)
  end,
  __newindex = function(_, key)
    error(("'%s' of an event cannot be set: it has rename, tag and reject"):format(tostring(key)), 2)
  end,
  __name = "event",
  __tostring = function(event)
    if not current or event ~= current.event then return "an event that is over" end
    local call = current.call
    return ("event %s of '%s'"):format(call.kind, call.name or call.user)
  end,
  __pairs = function(event)
    local values = {}
    for _, key in ipairs(fields) do values[key] = field_of(event, key) end
    return next, values, nil
  end,
  __metatable = false,
}

-- MARK: Running

local function text_of(err)
  local is_text, text = pcall(tostring, err)
  return is_text and text or "(an error that cannot be shown)"
end

-- What the handler has found out of the last error. The error itself goes on as it is, to what the hook has to close.
local failure_text, failure_trace

local function handler(err)
  failure_text = text_of(err)
  failure_trace = traceback(nil, 2):gsub("\n[^\n]*%[C%]: in function 'xpcall'.*$", "")
  return err
end

-- Runs one hook of the current event. Returns what it failed with, and where.
local function run_hook(state, hook, event, is_deciding)
  if state.file then state.file:seek "set" end
  failure_text, failure_trace = nil, nil
  local is_well, result = xpcall(functions[hook], handler, event)
  -- Tasks that it has begun belong to it.
  local task_problem = program.finish_tasks(is_well)
  if not is_well then
    -- Where memory was out no handler ran.
    return failure_text or text_of(result), failure_trace
  end
  if task_problem then return "a task of the hook failed" end
  if not is_deciding or result == nil then return end
  if result ~= verdict then
    return ("a hook that decides returned a %s: only event:reject(...) refuses"):format(type(result))
  end
  if not state.rejection then return "a hook that decides returned the verdict on another event" end
end

local function copy_of(tags)
  if not tags then return nil end
  local copy = {}
  for key, value in next, tags do copy[key] = value end
  return copy
end

-- Runs hooks on an event. Returns nothing where the only hook lets it pass, else a table of all there is to say.
local function run(kind, name, user, ...)
  local event = setmetatable({}, event_meta)
  local state = {event = event, call = {kind = kind, name = name, user = user}}
  current = state
  local is_deciding = kinds[kind] == "deciding"
  local count = select("#", ...)
  local answer
  for index = 1, count do
    local hook = select(index, ...)
    if count > 1 then
      program.enter(hook)
      -- Each has these tables for itself.
      state.call.tags, state.call.entry, state.call.previous = nil, nil, nil
    end
    local name_before, tags_before = state.name, copy_of(state.tags)
    local start = count > 1 and now() or 0
    local problem, trace = run_hook(state, hook, event, is_deciding)
    if count == 1 and not problem and not state.rejection and not state.is_changed then break end
    answer = answer or {runs = {}}
    answer.runs[index] = {
      hook = hook, microseconds = count > 1 and now() - start or nil, rejected = state.rejection ~= nil,
      failed = problem ~= nil,
    }
    if problem then
      -- What it had half done is undone.
      state.name, state.tags = name_before, tags_before
      if state.rejection or declared[hook].accepts then
        log_line("error", problem .. "\n" .. (trace or ""))
      elseif not answer.failure then
        answer.failure, answer.traceback = problem, trace
      end
    end
    -- Whoever decides ends it; those that are told are all told.
    if state.rejection or (is_deciding and answer.failure) then break end
  end
  if state.file then state.file:close() end
  current = nil
  if not answer then return end
  if state.rejection then
    answer.rejection, answer.failure, answer.traceback = state.rejection, nil, nil
  else
    answer.name, answer.tags = state.name, state.tags
  end
  return answer
end

-- Runs a hooks file, and returns what it declares.
local function load_file(text, name)
  local chunk, problem = load(text, "@" .. name, "t", environment)
  if not chunk then error(problem, 0) end
  is_loading = true
  chunk()
  is_loading = false
  return declared
end

return load_file, run
