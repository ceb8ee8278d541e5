-- Saves the text of web pages and PDF files beside them, so that searching need not understand either.
--
--   minivault serve --hooks text.lua --hooks-exec pdftotext

local entities = {amp = "&", lt = "<", gt = ">", quot = '"', apos = "'", nbsp = " "}

local function text_of_html(html)
  local text = html:gsub("<!%-%-.-%-%->", ""):gsub("<[sS][cC][rR][iI][pP][tT].-</[sS][cC][rR][iI][pP][tT]>", "")
    :gsub("<[sS][tT][yY][lL][eE].-</[sS][tT][yY][lL][eE]>", ""):gsub("</?[pP]%f[%W][^>]*>", "\n")
    :gsub("<[bB][rR][^>]*>", "\n"):gsub("<[^>]*>", "")
  text = text:gsub("&#(%d+);", function(code)
    local number = math.tointeger(tonumber(code))
    return number and number <= 0x10FFFF and utf8.char(number) or ""
  end):gsub("&(%a+);", entities)
  return (text:gsub("[ \t]+", " "):gsub(" ?\n ?", "\n"):gsub("\n\n\n+", "\n\n"):gsub("^%s+", ""):gsub("%s+$", ""))
end

local function save_text(event, text)
  local there = vault.stat(event.name .. ".txt")
  if there and there.tags.source ~= event.name then
    return vault.log.warn("%s is somebody's own file, and stays", there.name)
  end
  vault.put(event.name .. ".txt", text .. "\n", {tags = {source = event.name, version = event.version}})
end

for _, ending in ipairs {"*.html", "*.htm"} do
  vault.on("save", {match = ending}, function(event)
    if event.size and event.size <= 10000000 then save_text(event, text_of_html(event:read())) end
  end)
end

vault.on("save", {match = "*.pdf", timeout = 300}, function(event)
  local done = event:pipe({"pdftotext", "-layout", "-", "-"}, {timeout = 240})
  if done.code ~= 0 then error("pdftotext: " .. done.stderr) end
  save_text(event, done.stdout)
end)

-- The text goes with its page, also to another name.
vault.on("rename", function(event)
  local text = vault.stat(event.from .. ".txt")
  if text and text.tags.source == event.from then
    vault.rename(text.name, event.name .. ".txt")
    vault.tag(event.name .. ".txt", {source = event.name})
  end
end)

vault.on("remove", function(event)
  local text = vault.stat(event.name .. ".txt")
  if text and text.tags.source == event.name then vault.remove(text.name) end
end)
