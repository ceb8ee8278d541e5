import LuaEngine

/// What the prompt needs of Lua: how values are shown, what `help` says, and how words can go on.
enum PromptLibrary {
    static let text = #"""
        local library, bindings, list_directory = ...
        local getmetatable, ipairs, next, pcall, rawget, rawlen, select, tostring, type =
          getmetatable, ipairs, next, pcall, rawget, rawlen, select, tostring, type
        local math_type, format, rep, sort, concat = math.type, string.format, string.rep, table.sort, table.concat
        local utf8_len, unpack = utf8.len, table.unpack
        local vault = require "vault"

        local output = io.stdout
        function library.write(text) output:write(text, "\n") output:flush() end
        function library.flush() output:flush() end

        -- Showing values

        local NODES_MAX, DEPTH_MAX, ITEMS_MAX, STRING_MAX, ENTRIES_MAX = 2000, 6, 100, 4000, 50
        local escapes = {["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ["\\"] = "\\\\", ['"'] = '\\"'}
        local keywords = {}
        for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then
          true until while]]):gmatch "%a+" do keywords[word] = true end

        local function escape(text)
          text = text:gsub('[%c\\"]', function(c) return escapes[c] or format("\\x%02X", c:byte()) end)
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

        local function show_string(text)
          if #text <= STRING_MAX then return '"' .. escape(text) .. '"' end
          return format('"%s"… (%d bytes)', escape(text:sub(1, STRING_MAX)), #text)
        end

        local function is_word(key)
          return type(key) == "string" and key:find "^[%a_][%w_]*$" and not keywords[key]
        end

        local order = {number = 1, string = 2, boolean = 3}
        local function before(a, b)
          local x, y = order[type(a)] or 4, order[type(b)] or 4
          if x ~= y then return x < y end
          if x <= 2 then return a < b end
          return tostring(a) < tostring(b)
        end

        local function own_text(value)
          local meta = getmetatable(value)
          if type(meta) ~= "table" or rawget(meta, "__tostring") == nil then return nil end
          local ok, text = pcall(tostring, value)
          return ok and type(text) == "string" and text or "(an error in __tostring)"
        end

        local function shower(colors)
          local function paint(color, text) return colors and "\27[" .. color .. "m" .. text .. "\27[0m" or text end
          local nodes, path = 0, {}
          local show

          local function show_key(key)
            if is_word(key) then return key end
            return "[" .. (type(key) == "string" and show_string(key) or tostring(key)) .. "]"
          end

          -- The items of a table, and whether one takes several lines.
          local function items_of(value, depth)
            local items, long, count, length = {}, false, 0, rawlen(value)
            local function add(prefix, item)
              count = count + 1
              if count > ITEMS_MAX or nodes > NODES_MAX then return end
              local text = show(item, depth + 1)
              long = long or text:find("\n", 1, true) ~= nil
              items[#items + 1] = prefix .. text
            end
            for index = 1, math.min(length, ITEMS_MAX + 1) do add("", rawget(value, index)) end
            count = math.max(count, length)
            local keys, others = {}, 0
            for key in next, value do
              if not (math_type(key) == "integer" and key >= 1 and key <= length) then
                others = others + 1
                if others <= 10 * ITEMS_MAX then keys[others] = key end
              end
            end
            sort(keys, before)
            for _, key in ipairs(keys) do add(show_key(key) .. " = ", rawget(value, key)) end
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
              return paint("35", binding and "function: vault." .. binding.usage or tostring(value))
            end
            local text = own_text(value)
            if text then return depth == 0 and text or paint("35", escape(text)) end
            if kind == "table" then return show_table(value, depth) end
            return paint("35", tostring(value))
          end
          return show
        end

        -- The first entries of a listing, as lines.
        local function show_listing(listing)
          local lines = {}
          for entry in listing do
            if #lines == ENTRIES_MAX then
              lines[#lines + 1] = "… (there are more)"
              break
            end
            lines[#lines + 1] = format("%s  %12d  %s", os.date("!%Y-%m-%d %H:%M", entry.modified_at), entry.size,
              escape(entry.name))
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
          for index = 1, select("#", ...) do
            local value = select(index, ...)
            texts[index] = is_listing(value) and show_listing(value) or shower(colors)(value, 0)
            long = long or texts[index]:find("\n", 1, true) ~= nil
          end
          return concat(texts, long and "\n" or "\t")
        end

        -- Help

        local functions = setmetatable({}, {__mode = "k"})
        for _, binding in ipairs(bindings) do
          local value = vault
          for part in binding.name:gmatch "[^.]+" do value = type(value) == "table" and rawget(value, part) or nil end
          if type(value) == "function" then functions[value] = binding end
        end

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
            if type(value) == "string" then return "There is no function vault." .. escape(value) .. "; help() lists them." end
            return "It is a " .. type(value) .. ": " .. shower(false)(value, 0)
          end
          local lines = {}
          for _, binding in ipairs(bindings) do lines[#lines + 1] = "  vault." .. binding.usage end
          return general:gsub("\n%s%s%s%s%s%s%s%s", "\n"):gsub("^%s+", "") .. concat(lines, "\n")
        end

        function _G.help(...) library.write(library.help(...)) end

        -- Completion

        local function add_fields(found, value, prefix, only_functions)
          local seen = 0
          while type(value) == "table" and seen < 10 do
            for key, field in next, value do
              if is_word(key) and key:sub(1, #prefix) == prefix and (not only_functions or type(field) == "function") then
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
          return functions[value] or method and library.binding_of(method) or nil
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
          for word in next, keywords do if word:sub(1, #prefix) == prefix then found[word] = true end end
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

        -- The commands of the founding program

        local function words(text)
          local list, at = {}, 1
          while true do
            at = text:match("^%s*()", at)
            if at > #text then return list end
            local word, after = text:match([[^"([^"]*)"()]], at)
            if not word then word, after = text:match([[^'([^']*)'()]], at) end
            if not word then word, after = text:match("^(%S+)()", at) end
            list[#list + 1], at = word, after
          end
        end

        local function expect(command, list, least, most, usage)
          if #list < least or #list > most then error(command .. " is used so: " .. usage, 0) end
          return unpack(list)
        end

        local commands = {}
        function commands.SAVE(list)
          local path, name = expect("SAVE", list, 1, 2, "SAVE file [name]")
          local entry = vault.save(path, name)
          return ("saved %s: version %d, %d bytes, %d of them new"):format(
            escape(entry.name), entry.version, entry.size, entry.new_bytes)
        end
        function commands.READ(list)
          local name, path = expect("READ", list, 1, 2, "READ name [file]")
          path = path or name:match "[^/]+$" or name
          local entry = vault.read(name, path, {overwrite = false})
          return ("read %s into %s: %d bytes"):format(escape(entry.name), escape(path), entry.size)
        end
        function commands.LIST(list)
          local prefix = expect("LIST", list, 0, 1, "LIST [prefix]")
          return show_listing(vault.list(prefix))
        end

        -- What a line does that is a command, and nil for one that is Lua.
        function library.command(line)
          local command, rest = line:match "^%s*(%u+)%f[%W]%s*(.-)%s*$"
          if command == "EXIT" and rest == "" then return "exit" end
          if not commands[command] or rest:find "^[=%(%[%.:,{]" then return nil end
          return function() return commands[command](words(rest)) end
        end
        """#

    /// Makes the library, and the global `help`.
    static func install(_ session: ScriptSession) throws -> LuaReference {
        let state = session.state
        let library = try state.reference(to: LuaTable(fields: [:]))
        let bindings = LuaTable(
            elements: VaultLibrary.bindings.map { binding in
                LuaTable(fields: [
                    "name": binding.name, "usage": binding.usage, "summary": binding.summary,
                    "options": binding.options.joined(separator: ", "),
                ])
            })
        let directories = LuaFunction { call in call.returns(LocalNames.table(try call.bytes(1))) }
        _ = try state.call(try state.load(text, name: "=prompt"), library, bindings, directories)
        return library
    }
}
