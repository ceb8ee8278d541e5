-- Saves the text of web pages and PDF files beside them, so that searching need not understand either.
--
--   minivault serve --hooks text.lua --hooks-exec pdftotext

local entities = {amp = "&", lt = "<", gt = ">", quot = '"', apos = "'", nbsp = " "}

local function text_of_html(html)
  local text = html:gsub("<!%-%-.-%-%->", ""):gsub("<[sS][cC][rR][iI][pP][tT].-</[sS][cC][rR][iI][pP][tT]>", "")
    :gsub("<[sS][tT][yY][lL][eE].-</[sS][tT][yY][lL][eE]>", ""):gsub("</?[pP]%f[%W][^>]*>", "\n")
    :gsub("<[bB][rR][^>]*>", "\n"):gsub("<[^>]*>", "")
  text = text:gsub("&#(%d+);", function(code) return utf8.char(tonumber(code)) end):gsub("&(%a+);", entities)
  return (text:gsub("[ \t]+", " "):gsub(" ?\n ?", "\n"):gsub("\n\n\n+", "\n\n"):gsub("^%s+", ""):gsub("%s+$", ""))
end

local function save_text(event, text)
  vault.put(event.name .. ".txt", text .. "\n", {tags = {source = event.name, version = event.version}})
end

for _, ending in ipairs {"*.html", "*.htm"} do
  vault.on("save", {match = ending}, function(event)
    if event.size <= 10000000 then save_text(event, text_of_html(event:read())) end
  end)
end

vault.on("save", {match = "*.pdf", timeout = 300}, function(event)
  local done = event:pipe({"pdftotext", "-layout", "-", "-"}, {timeout = 240})
  if done.code ~= 0 then error("pdftotext: " .. done.stderr) end
  save_text(event, done.stdout)
end)

-- The text goes with its page.
vault.on("remove", function(event)
  local text = vault.stat(event.name .. ".txt")
  if text and text.tags.source == event.name then vault.remove(text.name) end
end)
