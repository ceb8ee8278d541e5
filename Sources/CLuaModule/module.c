#include "CLuaModule.h"

#include <stdlib.h>

#include <lua5.4/lauxlib.h>
#include <lua5.4/lua.h>

static const char module_key;

int luaopen_vault(lua_State *L) {
  // A state has one module, however often a script forgets and requires it.
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &module_key) == LUA_TTABLE) return 1;
  char *problem = minivault_open_module(L);
  if (problem != NULL) {
    lua_pushstring(L, problem);
    free(problem);
    return lua_error(L);
  }
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, "vault");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &module_key);
  return 1;
}
