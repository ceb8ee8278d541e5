/// What coroutines, their hooks and their errors do at the edges: appends a line for each case to the global `lines`.
let coroutineEdgeCases = #"""
    local function show(...)
      local t = table.pack(...)
      for i = 1, t.n do t[i] = tostring(t[i]):gsub('0x%x+', 'ADDR'):gsub('in main chunk.*', 'in main chunk') end
      lines[#lines + 1] = table.concat(t, ' ', 1, t.n)
    end
    local co = coroutine.create(function(...) return ... end)
    show('results', coroutine.resume(co, 1, nil, 3, nil))
    show('dead', coroutine.resume(co), coroutine.status(co))
    show('dead', coroutine.resume(co, 1, 2))
    show('self', coroutine.resume(coroutine.running()))
    show('self inside', coroutine.wrap(function() return coroutine.resume(coroutine.running()) end)())
    local outer
    outer = coroutine.create(function() return coroutine.wrap(function() return coroutine.resume(outer, 5) end)() end)
    show('normal', coroutine.resume(outer))
    local main = coroutine.running()
    show('main', coroutine.wrap(function() return coroutine.resume(main) end)())
    show('types', pcall(coroutine.resume))
    show('types', pcall(coroutine.resume, 5))
    show('types', pcall(coroutine.resume, 'x'))
    show('types', pcall(coroutine.wrap))
    show('types', pcall(coroutine.wrap, {}))
    show('types', pcall(coroutine.close))
    show('types', pcall(coroutine.close, print))
    show('types', pcall(coroutine.status))
    show('string', pcall(coroutine.wrap(function() error 'text' end)))
    show('string', pcall(function() coroutine.wrap(function() error 'text' end)() end))
    show('level 0', pcall(function() coroutine.wrap(function() error('text', 0) end)() end))
    show('number', pcall(function() coroutine.wrap(function() error(5) end)() end))
    show('nil', pcall(function() coroutine.wrap(function() error() end)() end))
    local e = setmetatable({}, {__tostring = function() return 'object' end})
    local ok, got = pcall(function() coroutine.wrap(function() error(e) end)() end)
    show('object', ok, got == e)
    show('nested', pcall(function()
      coroutine.wrap(function() coroutine.wrap(function() coroutine.wrap(function() error 'deep' end)() end)() end)()
    end))
    local w = coroutine.wrap(function() return 1 end)
    show('wrap', w()) show('wrap dead', pcall(w)) show('wrap dead', pcall(function() w() end))
    local self self = coroutine.wrap(function() return pcall(self) end)
    show('wrap self', self())
    self = coroutine.wrap(function() self() end)
    show('wrap self', pcall(self))
    -- Yields across protected calls, metamethods, iterators.
    co = coroutine.wrap(function(a)
      local b = select(2, pcall(coroutine.yield, a + 1))
      local c = select(2, xpcall(function(x) return coroutine.yield(x) end, print, b + 1))
      local m = setmetatable({}, {__add = function(_, n) return coroutine.yield(n) end})
      local d = m + c
      for x in coroutine.wrap(function() coroutine.yield(1) coroutine.yield(2) end) do d = d + x end
      error('end ' .. d)
    end)
    show('across', co(1)) show('across', co(10)) show('across', co(20)) show('across', pcall(co, 30)) show('across', pcall(co))
    co = coroutine.create(function() pcall(function() coroutine.yield(1) error 'after' end) coroutine.yield(2) error {} end)
    show('after', coroutine.resume(co)) show('after', coroutine.resume(co)) ok, got = coroutine.resume(co)
    show('after', ok, type(got), coroutine.status(co)) show('after', coroutine.resume(co))
    show('boundary', pcall(coroutine.wrap(function() table.sort({1, 2, 3}, coroutine.yield) end)))
    show('boundary', pcall(coroutine.wrap(function() string.gsub('a', '.', coroutine.yield) end)))
    show('outside', pcall(coroutine.yield))
    -- Closing.
    local function closer(name, raises)
      return setmetatable({}, {__close = function(_, err)
        show('closer', name, err, coroutine.isyieldable(), (select(2, coroutine.running())))
        if raises then error(raises, 0) end
      end})
    end
    co = coroutine.create(function() local x <close> = closer('a') local y <close> = closer('b') coroutine.yield() end)
    coroutine.resume(co) show('close', coroutine.close(co)) show('close', coroutine.status(co), coroutine.close(co))
    show('close', coroutine.resume(co))
    co = coroutine.create(function() local x <close> = closer('a') local y <close> = closer('b', 'worse') coroutine.yield() end)
    coroutine.resume(co) show('close', coroutine.close(co)) show('close', coroutine.close(co), coroutine.status(co))
    co = coroutine.create(function() local x <close> = closer 'c' error 'died' end)
    show('close', coroutine.resume(co)) show('close', coroutine.close(co)) show('close', coroutine.close(co))
    co = coroutine.create(print) show('close new', coroutine.close(co), coroutine.status(co))
    show('close main', pcall(coroutine.close, main))
    show('close normal', coroutine.wrap(function() return pcall(coroutine.close, main) end)())
    show('close self', coroutine.wrap(function() return pcall(coroutine.close, coroutine.running()) end)())
    show('wrap closes', pcall(function() coroutine.wrap(function() local x <close> = closer 'w' error 'x' end)() end))
    show('wrap closes', pcall(function() coroutine.wrap(function() local x <close> = closer('w', 'y') error 'x' end)() end))
    show('wrap closes', pcall(function() coroutine.wrap(function() local x <close> = closer('w', e) error 'x' end)() end))
    co = coroutine.wrap(function() local x <close> = closer 'return' return 1, 2, 3 end) show('returns', co())
    co = coroutine.wrap(function()
      local x <close> = setmetatable({}, {__close = function() coroutine.yield 'in close' end}) return 'done'
    end)
    show('yield in close', co()) show('yield in close', co())
    -- Too many of everything.
    local function sized(n, f, ...) return f(..., table.unpack({}, 1, n)) end
    local function count(...) return select('#', ...) end
    co = coroutine.create(count)
    show('many', sized(300000, coroutine.resume, co))
    co = coroutine.create(function() return table.unpack({}, 1, 600000) end)
    show('too many results', (function(...) local ok, text = coroutine.resume(co) return ok, text, coroutine.status(co) end)(
      table.unpack({}, 1, 600000)))
    show('too many results', pcall(function(...)
      local wrapped = coroutine.wrap(function() coroutine.yield(table.unpack({}, 1, 600000)) return 'later' end)
      show(pcall(wrapped)) show(pcall(function() wrapped() end)) return 1
    end, table.unpack({}, 1, 600000)))
    local function waits(...) coroutine.yield() return select('#', ...) end
    co = coroutine.create(function() return waits(table.unpack({}, 1, 300000)) end)
    coroutine.resume(co)
    show('too many arguments', sized(800000, coroutine.resume, co))
    show('too many arguments', coroutine.status(co), coroutine.resume(co))
    w = coroutine.wrap(function() return waits(table.unpack({}, 1, 300000)) end)
    w() show('too many arguments', pcall(sized, 800000, w)) show(w())
    local depth = 0
    local function dig() depth = depth + 1 local ok, text = coroutine.resume(coroutine.create(dig)) return ok, text end
    show('depth', dig()) show('depth', depth > 100)
    show('depth', pcall(function() local function f() return coroutine.wrap(f)() end f() end))
    -- Names and tracebacks.
    show('trace', (select(2, xpcall(function() coroutine.resume(5) end, debug.traceback))))
    show('trace', (select(2, xpcall(function() coroutine.wrap(function() error 'x' end)() end, debug.traceback))))
    co = coroutine.create(function() local inner = coroutine.create(function() show('trace', debug.traceback('inside')) show(debug.traceback(co)) end) coroutine.resume(inner) end)
    coroutine.resume(co)
    co = coroutine.create(function() local function f() error 'oops' end f() end)
    coroutine.resume(co) show('trace', debug.traceback(co))
    local name = debug.getinfo(coroutine.resume, 'Su') show('info', name.what, name.short_src, name.nups, name.isvararg)
    w = coroutine.wrap(print) show('info', debug.getupvalue(w, 1)) show('info', debug.getupvalue(w, 2))
    local names = {} for k in pairs(coroutine) do names[#names + 1] = k end table.sort(names) show(table.concat(names, ' '))
    local t = setmetatable({}, {__index = coroutine})
    show('method', pcall(function() t:resume() end)) show('method', pcall(function() t.resume(t) end))
    -- Hooks.
    local function counted(n)
      local events = 0
      debug.sethook(function(event) events = events + 1 end, '', n) for i = 1, 10000 do local x = i end
      local f, mask, asked = debug.gethook() debug.sethook() return events, mask, asked
    end
    show('hook', counted(1)) show('hook', counted(7)) show('hook', counted(1000)) show('hook', counted(2500))
    local events = {}
    debug.sethook(function(event, line) events[#events + 1] = event .. ' ' .. tostring(line) end, 'crl')
    local function called() return 1 end called(); (function() return called() end)() pcall(error) string.rep('x', 2)
    debug.sethook() show('hook', table.concat(events, ', '))
    show('hook', debug.gethook()) show('hook', select('#', debug.gethook()))
    show('hook', pcall(debug.sethook, 5)) show('hook', pcall(debug.sethook, print)) show('hook', pcall(debug.sethook, print, 'l', 'x'))
    show('hook', pcall(debug.sethook, 5, 'l'))
    debug.sethook(print, '', 0) show('hook', debug.gethook()) debug.sethook(print, 'x') show('hook', debug.gethook())
    local lines_there = 0
    co = coroutine.create(function() coroutine.yield() local a = 1
      local b = 2 coroutine.yield() end)
    debug.sethook(co, function() lines_there = lines_there + 1 end, 'l') show('hook', type(debug.gethook(co)), debug.gethook())
    coroutine.resume(co) coroutine.resume(co) show('hook', lines_there) debug.sethook(co) show('hook', debug.gethook(co))
    debug.sethook(function() end, 'l', 77) co = coroutine.create(function() return debug.gethook() end)
    show('inherited', coroutine.resume(co)) debug.sethook() show('inherited', debug.gethook(co)) show('after', debug.gethook())
    co = coroutine.create(function() debug.sethook(function() coroutine.yield() end, 'l')
      local x = 1 end)
    show('yield in hook', coroutine.resume(co))
    """#
