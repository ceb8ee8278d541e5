import Testing

@testable import VaultLua

@Suite struct JSONTests {
    @Test func encodes() async {
        await script(
            #"""
            local e = vault.json.encode
            equal(e(nil), "null") equal(e(true), "true") equal(e(1), "1") equal(e(1.5), "1.5") equal(e(-0.0), "-0.0")
            equal(e(math.mininteger), "-9223372036854775808") equal(tonumber(e(1e300)), 1e300) equal(e "x", '"x"')
            equal(e {}, "{}") equal(e {1, "a", {true}}, '[1,"a",[true]]') equal(e {b = 1, a = {}}, '{"a":{},"b":1}')
            equal(e '"\\\n\r\t\0\127\27é\u{1F600}', [["\"\\\n\r\t\u0000\u007f\u001bé😀"]])
            equal(e {{}, {}}, "[{},{}]") equal(e(setmetatable({1}, {__index = error, __pairs = error, __len = error})), "[1]")
            misuse("bad argument #1 to 'encode' (value expected)", function() vault.json.encode() end)
            misuse("JSON has no form for a function", function() e(print) end)
            misuse("JSON has no form for a vault listing, at [1]", function() e {(vault.list())} end)
            misuse("JSON has no number inf", function() e(1 / 0) end)
            misuse("a table with both elements and other keys has no JSON form: it has 'x'", function() e {1, x = 2} end)
            misuse("JSON has no form for a function, at .report[3].size", function() e {report = {1, 2, {size = print}}} end)
            misuse("JSON has no number inf, at .a.b", function() e {a = {b = 1 / 0}} end)
            misuse("an array with so many holes has no JSON form", function() e {1, [100] = 2} end)
            misuse("the keys of JSON objects are strings, got a number", function() e {[0] = 1} end)
            misuse("the keys of JSON objects are strings, got a table", function() e {[{}] = 1} end)
            local cycle = {} cycle[1] = cycle
            assert(select(2, pcall(e, cycle)):find "a table is nested too deeply for JSON, at %[1%]%[1%]")
            raises(function() e "\xff" end) raises(function() e {["\xff"] = 1} end)
            """#)
    }

    @Test func decodes() async {
        await script(
            #"""
            local d = vault.json.decode
            equal(d "null", vault.json.null) equal(d " true ", true) equal(d "false", false)
            equal(math.type(d "1"), "integer") equal(math.type(d "1.0"), "float") equal(d "-12e2", -1200.0)
            equal(d "9223372036854775807", math.maxinteger) equal(math.type(d "9223372036854775808"), "float")
            equal(d [["\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00\u0000"]], "\"\\/\b\f\n\r\tAé😀\0")
            local t = d ' { "a" : [ 1 , { "b" : null } , "c" ] , "" : 0 } '
            equal(#t.a, 3) equal(t.a[2].b, vault.json.null) equal(t.a[3], "c") equal(t[""], 0)
            equal(d '{"a":1,"a":2}'.a, 2)
            local list = d(("["):rep(150) .. ("]"):rep(150)) equal(type(list), "table")
            """#)
    }

    @Test func whatIsDecodedEncodesToTheSame() async {
        await script(
            #"""
            local e, d = vault.json.encode, vault.json.decode
            for _, text in ipairs {
              "[]", "{}", "null", "[[],{}]", '{"a":[],"b":{}}', "[null]", "[null,null,1]", '{"a":null}', '{"n":3}', "[[[]]]", "-0.0", "1.0", "[1,-0.0]",
            } do equal(e(d(text)), text) end
            local list = d "[1]" list[1] = nil equal(e(list), "[]")
            """#)
    }

    @Test func arraysAreArraysAlsoWhereTheyAreEmpty() async {
        await script(
            #"""
            local e, array = vault.json.encode, vault.json.array
            equal(e(array()), "[]") equal(e(array {}), "[]") equal(e {list = array {}}, '{"list":[]}')
            local own = {1} equal(array(own), own) equal(array(own), own) equal(e(own), "[1]")
            misuse("bad argument #1 to 'array' (table expected, got number)", function() array(1) end)
            misuse("bad argument #1 to 'array' (a table without a metatable expected)", function() array(setmetatable({}, {})) end)
            -- Results, also those that are nil.
            equal(e(vault.map({1, 2, 3}, function(x) if x ~= 2 then return x end end)), "[1,null,3]")
            equal(e(vault.map({}, print)), "[]") equal(e(vault.wait_all {vault.spawn(print)}), "[null]")
            equal(e(table.pack(1, nil, "x", nil)), '[1,null,"x",null]') equal(e {1, nil, 3}, "[1,null,3]")
            equal(e(vault.verify().problems), "[]") equal(e(vault.list():all()), "[]")
            """#)
    }

    @Test func refusesWhatIsNotJSON() async {
        await script(
            #"""
            local function bad(text)
              local err = fails("invalid", function() vault.json.decode(text) end)
              equal(err.operation, "json.decode") assert(err.message:find "^Not JSON: .+, at byte %d+%.$", err.message)
            end
            for _, text in ipairs {
              "", " ", "nul", "nulll", "True", "01", "1.", ".5", "+1", "-", "1e", "1e+", "0x10", "NaN", "Infinity", "1e400",
              "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "{}}", "{a:1}", "{'a':1}", '{"a"}', '{"a":}',
              '{"a":1,}', '{1:2}', '"', '"a', '"\n"', '"\0"', '"\\x41"', '"\\u12"', '"\\u12g4"', '"\\ud800"', '"\\ud800\\u0041"',
              '"\\udc00"', '"\\u+123"', "1 2", "[1]x", "// c\n1", "\xef\xbb\xbf1", '"\xff"', "\0", "1\0", "\xc3\xa9",
              ("["):rep(100000), ("["):rep(100000) .. ("]"):rep(100000), ('{"a":'):rep(100000),
            } do bad(text) end
            misuse("bad argument #1 to 'decode' (string expected, got no value)", function() vault.json.decode() end)
            misuse("bad argument #1 to 'decode' (string expected, got table)", function() vault.json.decode {} end)
            """#)
    }

    @Test func returnsWhatItWasGiven() async {
        await script(
            #"""
            math.randomseed(3)
            local function value(depth)
              local kind = math.random(depth > 4 and 5 or 7)
              if kind == 1 then return math.random(0) elseif kind == 2 then return math.random() * 10 ^ math.random(-300, 300)
              elseif kind == 3 then return math.random() < 0.5
              elseif kind == 4 then return utf8.char(math.random(0, 0xD7FF), math.random(0x10000, 0x10FFFF), math.random(0, 127))
              elseif kind == 5 then return math.random(-9, 9)
              else
                local t = {}
                for n = 1, math.random(1, 5) do t[kind == 6 and n or "k" .. n] = value(depth + 1) end
                return t
              end
            end
            local function same(a, b)
              if type(a) ~= "table" then return rawequal(a, b) and math.type(a) == math.type(b) end
              for k, v in pairs(a) do if not same(v, b[k]) then return false end end
              return true
            end
            for _ = 1, 500 do
              local one = value(0)
              local text = vault.json.encode(one)
              assert(same(one, vault.json.decode(text)), text)
            end
            local many = {}
            for n = 1, 50000 do many[n] = {id = n, name = "name " .. n} end
            local back = vault.json.decode(vault.json.encode(many))
            equal(#back, 50000) equal(back[50000].name, "name 50000")
            """#)
    }
}
