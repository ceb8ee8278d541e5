local module, with, scope_of, any_of, can_wait, seconds_of, has_handles, keep_trace = ...
local error, getmetatable, pcall, type = error, getmetatable, pcall, type
local next, tostring, xpcall = next, tostring, xpcall
local collectgarbage, traceback = collectgarbage, debug.traceback
local pack, unpack, tointeger = table.pack, table.unpack, math.tointeger
local ipairs, utf8 = ipairs, utf8

local function bad(number, name, problem)
  error(("bad argument #%d to '%s' (%s)"):format(number, name, problem), 3)
end

local function got(expected, value)
  return ("%s expected, got %s"):format(expected, type(value))
end

local function is_callable(value)
  if type(value) == "function" then return true end
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__call ~= nil
end

-- Calls f as pcall does. Also where the error was raised, which the handler alone can tell.
local function try(f, ...)
  local trace
  local function results(...) return trace, ... end
  return results(xpcall(f, function(err)
    trace = traceback("", 2)
    return err
  end, ...))
end

-- Raises an error again. What tells of it in the end says where it was raised first.
local function raise_again(failure, trace, task)
  if trace then keep_trace(failure, trace, task) end
  error(failure, 0)
end

-- Ends what still runs in the scope, and waits until it has ended. Returns false and an error where this task is
-- stopped meanwhile: that has its say once, and the others end all the same.
local function settle(scope)
  local had_tasks = scope:cancel()
  local ok, err = pcall(scope.drain, scope)
  if not ok then pcall(scope.drain, scope) end
  -- The tasks have dropped their files by now.
  for _ = 1, had_tasks and 2 or 0 do
    -- The first collection takes the tasks, the second what was in their hands.
    if has_handles() then collectgarbage() end
  end
  return ok, err
end

-- Ends what still runs in the scope, and passes on what the call has come to.
local function leave(scope, trace, is_well, ...)
  local ok, err = settle(scope)
  if not is_well then raise_again(..., trace) end
  if not ok then error(err, 0) end
  return ...
end

local spawn = module.spawn
local array = module.json.array

local function call_it(f, ...) return f(...) end

function module.spawn(f, ...)
  if type(f) == "function" then return spawn(f, ...) end
  if not is_callable(f) then bad(1, "spawn", got("function", f)) end
  return spawn(call_it, f, ...)
end

function module.with(connection, f, ...)
  local scope <close> = with(connection)
  if not scope then bad(1, "with", got("vault connection", connection)) end
  if not is_callable(f) then bad(2, "with", got("function", f)) end
  return f(...)
end

function module.timeout(seconds, f, ...)
  local limit = seconds_of(seconds)
  if not limit then bad(1, "timeout", got("number", seconds)) end
  if not (limit >= 0 and limit <= 1e9) then bad(1, "timeout", "a time of 0 or more seconds expected") end
  if not is_callable(f) then bad(2, "timeout", got("function", f)) end
  local scope <close> = scope_of("timeout", limit)
  return leave(scope, try(f, ...))
end

function module.wait_all(tasks)
  if type(tasks) ~= "table" then bad(1, "wait_all", got("table", tasks)) end
  local problem = any_of(tasks, true)
  if type(problem) == "string" then bad(1, "wait_all", problem) end
  local results, failed, failure = array {n = #tasks}, false, nil
  for index = 1, #tasks do
    local ok, result = tasks[index]:result()
    if ok then results[index] = result elseif not failed then failed, failure = true, result end
  end
  if failed then error(failure, 0) end
  return results
end

function module.wait_any(tasks)
  if type(tasks) ~= "table" then bad(1, "wait_any", got("table", tasks)) end
  local index = any_of(tasks, false)
  if type(index) == "string" then bad(1, "wait_any", index) end
  return tasks[index]
end

-- Functions that step through what they are given with each call, which a call that has other arguments behind drops.
local steppers = {[next] = "pairs", [(ipairs {})] = "ipairs", [(utf8.codes "")] = "utf8.codes"}

-- A function that returns the next element, packed, and nil at the end.
local function elements_of(list)
  if is_callable(list) then
    return function()
      local element = pack(list())
      return element[1] ~= nil and element or nil
    end
  end
  local position = 0
  return function()
    position = position + 1
    return position <= #list and {n = 1, list[position]} or nil
  end
end

-- The concurrency, the handler of errors, and what is wrong with the options.
local function map_options(options)
  if options == nil then return 8 end
  if type(options) ~= "table" then return nil, nil, got("table", options) end
  for name in next, options do
    if name ~= "concurrency" and name ~= "on_error" then
      return nil, nil, ("unknown option '%s'"):format(tostring(name))
    end
  end
  local concurrency, on_error = 8, options.on_error
  if options.concurrency ~= nil then concurrency = tointeger(options.concurrency) end
  if not concurrency or concurrency < 1 then
    return nil, nil, "field 'concurrency': a number of tasks expected"
  elseif on_error ~= nil and not is_callable(on_error) then
    return nil, nil, "field 'on_error': " .. got("function", on_error)
  end
  return concurrency, on_error
end

function module.map(list, f, options)
  if not is_callable(list) and type(list) ~= "table" then bad(1, "map", got("table or function", list)) end
  if steppers[list] then
    bad(1, "map", ("a table or a function without arguments expected, got that of '%s'"):format(steppers[list]))
  end
  if not is_callable(f) then bad(2, "map", got("function", f)) end
  local concurrency, on_error, problem = map_options(options)
  if problem then bad(3, "map", problem) end
  local results, failed, failure, is_over = array {n = 0}, false, nil, false
  local failed_task, failure_trace
  local function call(index, element, place)
    local trace, ok, result = try(f, unpack(element, 1, element.n))
    if ok then
      results[index] = result
    elseif not failed and not is_over and not (on_error and on_error(element[1], result) == true) then
      failed, failure, failed_task, failure_trace = true, result, place, trace
    end
  end
  if not can_wait() then
    -- No task could run meanwhile: one after the other gives the same results.
    for element in elements_of(list) do
      results.n = results.n + 1
      call(results.n, element)
      if failed then raise_again(failure, failure_trace) end
    end
    return results
  end
  local scope <close> = scope_of("map")
  local running, numbers = 0, {}
  local function reap()
    local task, number
    repeat task, number = scope:next() until numbers[number]
    numbers[number], running = nil, running - 1
    local ok, err = task:result()
    if not ok and not failed then failed, failure = true, err end
  end
  local trace, is_well, err = try(function()
    for element in elements_of(list) do
      results.n = results.n + 1
      local place = {}
      place.number = scope:spawn(call, results.n, element, place)
      numbers[place.number] = true
      running = running + 1
      while running >= concurrency and not failed do reap() end
      if failed then break end
    end
    while running > 0 and not failed do reap() end
  end)
  -- An element that ends only because the map does has not failed.
  is_over = true
  if not is_well or failed then settle(scope) end
  if not is_well then raise_again(err, trace) end
  if failed then raise_again(failure, failure_trace, failed_task and failed_task.number) end
  -- What the elements have begun besides goes on.
  scope:release()
  return results
end
