-- SPDX-License-Identifier: MIT
-- Uses what Lua has of the system: files, memory, time. Writes what it found, for comparison with another system.
local directory = arg[1]
local path = directory .. "/lua-test"

-- Files: text and bytes, all ways to read, places, appending, renaming, errors.
local every_byte = {}
for byte = 0, 255 do every_byte[#every_byte + 1] = string.char(byte) end
every_byte = table.concat(every_byte)
local file = assert(io.open(path, "wb"))
for _ = 1, 1000 do assert(file:write(every_byte)) end
print("written", file:seek("cur", 0), file:seek("set", 100), file:seek("end"))
file:close()
file = assert(io.open(path, "rb"))
print("bytes", file:read(0) == "", #file:read(70000), file:seek("set", 65), file:read(26))
local rest = file:read("a")
print("rest", #rest, rest:sub(-256) == every_byte, file:read(1), file:read("a") == "")
file:close()
file = assert(io.open(path, "a"))
assert(file:setvbuf("full", 65536))
file:write("12 0x1F -3.25e2\n", "a line\n", "\n", "the last")
file:close()
file = assert(io.open(path))
file:seek("set", 256000)
print("numbers", file:read("n", "n", "n"))
print("lines", file:read("l", "L", "l", "l", "l"))
file:close()
print("rename", os.rename(path, path .. "2"), io.open(path))
print("remove", os.remove(path .. "2"), select("#", os.remove(path .. "2")), (os.remove(path .. "2")))
print("directory", io.open(directory, "w"))
local name = os.tmpname()
local temporary = assert(io.open(name, "w+"))
temporary:write("x"):seek("set")
print("temporary", temporary:read("a"), temporary:close(), os.remove(name))
local unnamed = io.tmpfile()
unnamed:write("unnamed"):seek("set")
print("tmpfile", unnamed:read("a"))

-- Text and numbers, which are the C library's.
print(string.format("%5.2f|%-8s|%08.3e|%x|%q|%g|%a", math.pi, "left", 12345.678, 255, "a\nb\0", 1e100, 0.5))
print(math.sqrt(2), math.sin(1), math.exp(1), math.log(10), 2^0.5, 7 // -2, -7 % 3, 1 / 0, math.maxinteger)
print(tonumber("0x1p-2"), tonumber("1e1"), tonumber("z", 36), tostring(1e15), tostring(-0.0))
print(("Quire"):rep(3, ","), ("abc"):byte(1, -1), ("%d+"):len(), ("x1y22z333"):gsub("%d+", "<%0>"))
print(string.pack(">I4i8z", 1, -2, "end"):byte(1, -1))
print(utf8.char(228, 8364, 66560), utf8.len("\u{e4}\u{20ac}"))

-- Coroutines, code made at run time, errors through many frames.
local function generate(n)
    return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end)
end
local sum = 0
for i in generate(10000) do sum = sum + i end
print("coroutines", sum)
local many = {}
for i = 1, 2000 do
    many[i] = coroutine.create(function(a) local b = coroutine.yield(a + i) return a * b end)
    assert(select(2, coroutine.resume(many[i], i)) == 2 * i)
end
sum = 0
for i = 1, 2000 do sum = sum + select(2, coroutine.resume(many[i], 2)) end
print("many coroutines", sum)
print("load", load("return 1 + ...")(41), load("syntax error here"))
print("pcall", pcall(error, {code = 7}), select(2, pcall(function() error("text", 0) end)))
local function deep(n) return n == 0 and error("bottom", 0) or 1 + deep(n - 1) end
print("deep", pcall(deep, 10000))
local function endless() return 1 + endless() end
print("stack", pcall(endless) == false)

-- Memory: large tables and strings, and what a collection leaves of them.
local large = {}
for i = 1, 200000 do large[i] = {i, tostring(i)} end
sum = 0
for _, pair in ipairs(large) do sum = sum + pair[1] + #pair[2] end
print("large table", sum, #large)
local before = collectgarbage("count")
large = nil
collectgarbage()
print("collected", collectgarbage("count") < before / 4)
local weak = setmetatable({}, {__mode = "v"})
weak[1] = {}
local closed = 0
for _ = 1, 100 do setmetatable({}, {__gc = function() closed = closed + 1 end}) end
collectgarbage()
print("weak", weak[1], closed)
print("string", #(("x"):rep(16 * 1024 * 1024)), select("#", table.unpack({}, 1, 200)))
local order = {}
for i = 1, 50000 do order[i] = (i * 7919) % 50021 end
table.sort(order)
local sorted = true
for i = 2, #order do sorted = sorted and order[i - 1] <= order[i] end
print("sort", sorted, order[1], order[#order])

print("os", os.getenv("no such variable"), type(os.time()), os.time() >= 0, os.date("!%Y-%m-%d %H:%M:%S", 86400 * 365))
print("clock", os.clock() >= 0, os.difftime(5, 3))
os.exit(17, true)
