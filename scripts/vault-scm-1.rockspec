rockspec_format = "3.0"
package = "vault"
version = "scm-1"
source = { url = "git+file://." }
description = {
  summary = "The functions of MiniVault for a stock Lua 5.4",
  detailed = [[
    require "vault" gives what scripts of 'minivault run' have: save, read and list files of a vault, in a directory or
    on a server, with every version, many at once. It is built with Swift 6, whose runtime it needs. From the top of the sources: luarocks make scripts/vault-scm-1.rockspec
  ]],
}
supported_platforms = { "linux" }
dependencies = { "lua >= 5.4, < 5.5" }
build = {
  type = "command",
  build_command = "scripts/packages build && env -u CC -u CFLAGS -u LD swift build -c release --product vault",
  install_command = "install -D -m 755 .build/release/libvault.so '$(LIBDIR)/vault.so'",
}
