#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
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
  int problem = clua_flush_output();
  fflush(NULL);
  if (problem != 0 && status == EXIT_SUCCESS) {
    fprintf(stderr, "%s: the output could not be written: %s\n", program_invocation_short_name, strerror(problem));
    status = EXIT_FAILURE;
  }
  _exit(status);
}

int clua_flush_output(void) {
  errno = 0;
  return fflush(stdout) == 0 && !ferror(stdout) ? 0 : errno != 0 ? errno : EIO;
}

/// os.execute([command]) (§6.9). [-arguments, +1 or 3]
///
/// Unlike system(3) it does not have this process ignore the terminal's signals meanwhile: a Ctrl-C that ends the command
/// interrupts the script too.
static int os_execute(lua_State *L) {
  const char *command = luaL_optstring(L, 1, NULL);
  if (command == NULL) {
    lua_pushboolean(L, access("/bin/sh", X_OK) == 0);
    return 1;
  }
  const char *const words[] = {"sh", "-c", "--", command, NULL};
  posix_spawnattr_t attributes;
  sigset_t signals;
  pid_t process;
  sigemptyset(&signals);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &signals);
  // A parent that ignores the ends of children would not learn of this one's.
  sigaddset(&signals, SIGCHLD);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  errno = posix_spawn(&process, "/bin/sh", NULL, &attributes, (char *const *)(uintptr_t)words, environ);
  posix_spawnattr_destroy(&attributes);
  if (errno != 0) return luaL_execresult(L, -1);
  int status;
  pid_t ended;
  do {
    ended = waitpid(process, &status, 0);
  } while (ended < 0 && errno == EINTR);
  return luaL_execresult(L, ended < 0 ? -1 : status);
}

/// [-0, +0] May raise.
void clua_open_libraries(lua_State *L, uint32_t wanted) {
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    if (!(wanted & libraries[i].bit)) continue;
    luaL_requiref(L, libraries[i].name, libraries[i].open, 1);
    if (libraries[i].bit == CLUA_LIBRARY_OS) {
      lua_pushcfunction(L, os_exit);
      lua_setfield(L, -2, "exit");
      lua_pushcfunction(L, os_execute);
      lua_setfield(L, -2, "execute");
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
