-- Lets in pictures, PDF and text, by what is in the files and not by what they are called, up to a size.
--
--   minivault serve --hooks types.lua

local MB = 1000000
local size_max = 200 * MB

-- What files begin with, and the types that people call them by.
local signatures = {
  {"\xFF\xD8\xFF", "jpeg", {"jpg", "jpeg"}},
  {"\x89PNG\r\n\x1A\n", "png", {"png"}},
  {"GIF8", "gif", {"gif"}},
  {"%PDF-", "pdf", {"pdf"}},
  {"PK\x03\x04", "zip", {"zip", "docx", "xlsx", "pptx", "odt", "ods"}},
}

local function type_of(event)
  local head = event:read(512) or ""
  for _, signature in ipairs(signatures) do
    if head:sub(1, #signature[1]) == signature[1] then return signature[2], signature[3] end
  end
  -- The first 512 bytes may end in the middle of a character.
  local whole = #head == 512 and head:gsub("[\xC0-\xFF][\x80-\xBF]*$", "") or head
  if not head:find "\0" and utf8.len(whole) then return "text", {} end
end

vault.on("before_save", {on_error = "reject"}, function(event)
  if event.entry.kind ~= "file" then return end
  if event.size > size_max then
    return event:reject(("it has %.0f MB, and %.0f MB are allowed"):format(event.size / MB, size_max / MB))
  end
  if event.size == 0 then return end
  local kind, endings = type_of(event)
  if not kind then return event:reject "it is neither picture nor PDF, archive nor text" end
  local ending = event.name:lower():match "%.(%w+)$"
  for _, signature in ipairs(signatures) do
    for _, known in ipairs(signature[3]) do
      if ending == known and kind ~= signature[2] then
        return event:reject(("it is called .%s, but is %s"):format(ending, kind))
      end
    end
  end
  event:tag("type", #endings > 0 and kind or "text")
end)
