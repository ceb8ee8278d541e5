#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"

// MARK: Libraries

static const struct {
  CLuaLibrary bit;
  const char *name;
  lua_CFunction open;
} libraries[] = {
    {CLUA_LIBRARY_BASE, LUA_GNAME, luaopen_base},
    {CLUA_LIBRARY_PACKAGE, LUA_LOADLIBNAME, luaopen_package},
    {CLUA_LIBRARY_COROUTINE, LUA_COLIBNAME, luaopen_coroutine},
    {CLUA_LIBRARY_TABLE, LUA_TABLIBNAME, luaopen_table},
    {CLUA_LIBRARY_IO, LUA_IOLIBNAME, luaopen_io},
    {CLUA_LIBRARY_OS, LUA_OSLIBNAME, luaopen_os},
    {CLUA_LIBRARY_STRING, LUA_STRLIBNAME, luaopen_string},
    {CLUA_LIBRARY_MATH, LUA_MATHLIBNAME, luaopen_math},
    {CLUA_LIBRARY_UTF8, LUA_UTF8LIBNAME, luaopen_utf8},
    {CLUA_LIBRARY_DEBUG, LUA_DBLIBNAME, luaopen_debug},
};

/// os.exit([code [, close]]) (§6.9). Does not return. [-arguments, +0]
///
/// Other threads are alive, so neither libc's exit handlers nor C++ destructors run: the state is closed when asked,
/// the owner told, all C streams flushed, and the process ends by _exit.
static int os_exit(lua_State *L) {
  int status;
  if (lua_isboolean(L, 1))
    status = lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE;
  else
    status = (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
  CLuaOwner *owner = clua_owner(L);
  if (lua_toboolean(L, 2)) {
    if (owner != NULL && owner->watch != NULL) clua_abandon_chain(owner->watch);
    lua_close(L);
    if (owner != NULL) owner->closed = true;
  }
  if (owner != NULL) owner->host.exit(owner->host.context, status);
  fflush(NULL);
  _exit(status);
}

/// [-0, +0] May raise.
void clua_open_libraries(lua_State *L, uint32_t wanted) {
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    if (!(wanted & libraries[i].bit)) continue;
    luaL_requiref(L, libraries[i].name, libraries[i].open, 1);
    if (libraries[i].bit == CLUA_LIBRARY_OS) {
      lua_pushcfunction(L, os_exit);
      lua_setfield(L, -2, "exit");
    }
    if (libraries[i].bit == CLUA_LIBRARY_BASE) clua_find_protected_calls(L);
    if (libraries[i].bit == CLUA_LIBRARY_COROUTINE) clua_replace_coroutines(L);
    if (libraries[i].bit == CLUA_LIBRARY_DEBUG) clua_replace_hooks(L);
    lua_pop(L, 1);
  }
}

// MARK: Warnings

static bool append_warning(CLuaOwner *owner, const char *piece) {
  size_t length = strlen(piece);
  char *text = realloc(owner->warning, owner->warning_length + length + 1);
  if (text == NULL) return false;
  memcpy(text + owner->warning_length, piece, length);
  owner->warning = text;
  owner->warning_length += length;
  return true;
}

static void finish_warning(CLuaOwner *owner) {
  if (owner->host.warn != NULL) {
    owner->host.warn(owner->host.context, owner->warning, owner->warning_length);
  } else {
    fputs("Lua warning: ", stderr);
    fwrite(owner->warning, 1, owner->warning_length, stderr);
    fputc('\n', stderr);
    fflush(stderr);
  }
  owner->warning_length = 0;
}

/// lua_WarnFunction (§4.6): off until "@on"; other control messages are ignored; a message comes in pieces.
void clua_warn(void *context, const char *message, int continues) {
  CLuaOwner *owner = context;
  bool whole = !owner->warning_continues && !continues;
  owner->warning_continues = continues;
  if (whole && message[0] == '@') {
    if (strcmp(message, "@on") == 0) owner->warning_on = true;
    if (strcmp(message, "@off") == 0) owner->warning_on = false;
    return;
  }
  if (owner->warning_on && append_warning(owner, message) && !continues) finish_warning(owner);
}
