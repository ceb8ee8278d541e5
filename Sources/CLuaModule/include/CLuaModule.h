/// The entry of the C module `vault` (Lua 5.4 manual §6.3, `require`).
#ifndef CLUAMODULE_H
#define CLUAMODULE_H

typedef struct lua_State lua_State;

/// What `require "vault"` calls: returns the module, the same one each time. [-all, +1]
__attribute__((visibility("default"))) int luaopen_vault(lua_State *L);

/// Makes the module and leaves it in `package.loaded`. Returns NULL, or what went wrong, on the heap. Must not raise.
char *minivault_open_module(lua_State *L);

#endif
