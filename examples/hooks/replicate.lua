-- Keeps a second vault like this one, change by change; only chunks that are missing there move. What the other server
-- cannot be told now it is told later, in order.
--
--   minivault login minivault://mirror@other.example     as the user that the server runs as, once
--   minivault serve --hooks replicate.lua --hooks-connect other.example

local target = "minivault://mirror@other.example"

-- One connection for each worker, opened when it is first needed.
local mirror

local function other()
  mirror = mirror or vault.connect(target)
  return mirror
end

vault.on("save", {timeout = 600}, function(event)
  vault.replicate(vault, other(), event.name)
  vault.log.debug("%s is at %s", event.name, target)
end)

vault.on("remove", function(event)
  if other():exists(event.name) then other():remove(event.name) end
end)

vault.on("rename", function(event)
  if other():exists(event.from) then
    other():rename(event.from, event.name)
  elseif not other():exists(event.name) then
    vault.replicate(vault, other(), event.name)
  end
end)
