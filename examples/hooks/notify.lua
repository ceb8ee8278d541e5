-- Tells a chat or any other service by a webhook what was saved below a prefix, and people by mail what was removed.
--
--   minivault serve --hooks notify.lua --hooks-exec curl --hooks-exec sendmail

local webhook = "https://chat.example/hooks/vault"
local people = "admin@example.com"

local function run(words, input)
  local done = vault.exec(words, {stdin = input, timeout = 30})
  -- It is told again later.
  if done.code ~= 0 then error(("%s ended with %d: %s"):format(words[1], done.code, done.stderr)) end
end

vault.on("save", {match = "/reports/**"}, function(event)
  local text = vault.json.encode {
    id = event.id, version = event.version,
    text = ("%s saved %s (%s bytes)"):format(event.user, event.name, event.size or "?"),
  }
  run({"curl", "--silent", "--show-error", "--fail", "--max-time", "20", "--header", "Content-Type: application/json",
    "--data-binary", "@-", webhook}, text)
end)

vault.on("remove", {match = "/reports/**"}, function(event)
  local subject = ("%s removed %s"):format(event.user, event.name):gsub("%c", "?")
  run({"sendmail", "-t"}, ("To: %s\nSubject: %s\nMessage-ID: <%s@minivault>\n\nVersion %d can still be read.\n")
    :format(people, subject, event.id, event.version - 1))
end)
