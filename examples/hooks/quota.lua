-- Gives each user of a shared vault so many bytes of what names hold now. Versions before do not count: 'user quota' on
-- the server bounds them all. Saves are counted right after they are done: many at once may go a little over the limit.
--
--   minivault serve --hooks quota.lua

local GB = 1000000000
local limits = {anna = 50 * GB}
local limit_of_others = 10 * GB

local function key(user) return "bytes of " .. user end

vault.on("before_save", function(event)
  local limit = limits[event.user] or limit_of_others
  local used = vault.kv.get(key(event.user)) or 0
  local previous = event.previous
  -- What is replaced no longer counts, if it was the same user's.
  if previous and previous.saved_by == event.user then used = used - previous.size end
  if used + event.size > limit then
    return event:reject(("%s has used %.2f of %.2f GB"):format(event.user, used / GB, limit / GB))
  end
end)

-- Hooks can be told twice of one event: each counts once, by its id.
vault.on("save", function(event)
  -- Renamed since, it cannot be looked at any more under this name: what it had counts as nothing then.
  vault.kv.incr(key(event.user), event.size or 0, event.id)
  local previous = event.previous
  if previous and previous.kind ~= "removed" then
    vault.kv.incr(key(previous.saved_by), -previous.size, event.id .. " replaced")
  end
end)

vault.on("remove", function(event)
  if event.entry then vault.kv.incr(key(event.entry.saved_by), -event.size, event.id) end
end)
