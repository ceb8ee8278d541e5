#include <stdatomic.h>

#include "internal.h"

/// The registry's table of script hooks, thread (weak) -> function, under the name that the library's own has.
#define HOOKS_KEY "_HOOKKEY"

static const char interrupt_value_key;

/// The library's pcall and xpcall, the same in every state.
static _Atomic(lua_CFunction) unhandled_call;
static _Atomic(lua_CFunction) handled_call;

/// Whether a message handler of a script's would get an error that is raised now: whether xpcall is the innermost
/// protected call of this thread.
static bool has_script_handler(lua_State *L) {
  lua_Debug frame;
  for (int level = 0; lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "f", &frame);
    lua_CFunction function = lua_tocfunction(L, -1);
    lua_pop(L, 1);
    if (function == NULL) continue;
    if (function == handled_call) return true;
    if (function == unhandled_call || function == clua_run_request) return false;
  }
  return false;
}

static int raise_interrupt(lua_State *L, CLuaWatch *watch) {
  // A handler would run within this hook, where no hook fires, and so for ever if it wants. Only a memory error calls
  // none; the xpcall that returns it is followed by an instruction that raises the interrupt's own value.
  if (has_script_handler(L)) return clua_raise_memory_error(L);
  clua_take_once(watch);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &interrupt_value_key);
  return lua_error(L);
}

void clua_stop_hook(lua_State *L, lua_Debug *event) {
  (void)event;
  CLuaWatch *watch = clua_own(L)->watch;
  // The count stays 1: every instruction of this thread raises, so that no pcall loop outlives the interrupt. One that
  // stops code once is over with the first; the hooks go where they fire next.
  if (clua_is_stopping(watch)) raise_interrupt(L, watch);
  clua_settle(watch);
  // What is left is a coroutine that a C module resumed, and that inherited its creator's hook.
  if (lua_gethook(L) == clua_stop_hook && !clua_is_stopping(watch)) clua_set_hook(watch, L, (CLuaHook){0});
}

/// Pushes the table of hooks, and returns its type. [-0, +1] May raise (memory).
static int push_hooks(lua_State *L) {
  lua_pushliteral(L, HOOKS_KEY);
  return lua_rawget(L, LUA_REGISTRYINDEX);
}

/// The C hook of every thread that a script gave one (lua_Hook, §4.7). [-0, +any], which Lua takes off again
static void script_hook(lua_State *L, lua_Debug *event) {
  static const char *const names[] = {"call", "return", "line", "count", "tail call"};
  CLuaWatch *watch = clua_own(L)->watch;
  if (clua_is_stopping(watch)) raise_interrupt(L, watch);
  if (push_hooks(L) != LUA_TTABLE) return;
  lua_pushthread(L);
  // A coroutine inherits events, but not the function: then there is none to call, as with the library's own hook.
  if (lua_rawget(L, -2) != LUA_TFUNCTION) return;
  lua_pushstring(L, names[event->event]);
  if (event->currentline >= 0)
    lua_pushinteger(L, event->currentline);
  else
    lua_pushnil(L);
  lua_call(L, 2, 0);
}

// MARK: debug.sethook and debug.gethook (§6.10), which see only the script's own hooks

static lua_State *thread_argument(lua_State *L, int *offset) {
  *offset = lua_isthread(L, 1) ? 1 : 0;
  return *offset ? lua_tothread(L, 1) : L;
}

/// Pushes the table of hooks and the thread that a call is about. [-0, +2] May raise.
static void push_key(lua_State *L, int offset) {
  if (push_hooks(L) != LUA_TTABLE) luaL_error(L, "the registry has been damaged");
  if (offset)
    lua_pushvalue(L, 1);
  else
    lua_pushthread(L);
}

/// debug.sethook([thread,] hook, mask [, count]). [-arguments, +0]
static int set_hook(lua_State *L) {
  int offset;
  lua_State *thread = thread_argument(L, &offset);
  CLuaHook hook = {0};
  if (lua_isnoneornil(L, offset + 1)) {
    lua_settop(L, offset + 1);
  } else {
    const char *events = luaL_checkstring(L, offset + 2);
    luaL_checktype(L, offset + 1, LUA_TFUNCTION);
    hook.function = script_hook;
    hook.count = (int)luaL_optinteger(L, offset + 3, 0);
    if (strchr(events, 'c')) hook.mask |= LUA_MASKCALL;
    if (strchr(events, 'r')) hook.mask |= LUA_MASKRET;
    if (strchr(events, 'l')) hook.mask |= LUA_MASKLINE;
    if (hook.count > 0) hook.mask |= LUA_MASKCOUNT;
  }
  push_key(L, offset);
  lua_pushvalue(L, offset + 1);
  lua_rawset(L, -3);
  clua_set_hook(clua_own(L)->watch, thread, hook);
  return 0;
}

/// debug.gethook([thread]) -> hook, mask, count. [-arguments, +1 or +3]
static int get_hook(lua_State *L) {
  int offset;
  lua_State *thread = thread_argument(L, &offset);
  CLuaHook hook = clua_get_hook(clua_own(L)->watch, thread);
  if (hook.function == NULL) {
    luaL_pushfail(L);
    return 1;
  }
  if (hook.function == script_hook) {
    push_key(L, offset);
    lua_rawget(L, -2);
  } else {
    lua_pushliteral(L, "external hook");
  }
  char events[4];
  char *end = events;
  if (hook.mask & LUA_MASKCALL) *end++ = 'c';
  if (hook.mask & LUA_MASKRET) *end++ = 'r';
  if (hook.mask & LUA_MASKLINE) *end++ = 'l';
  lua_pushlstring(L, events, (size_t)(end - events));
  lua_pushinteger(L, hook.count);
  return 3;
}

bool clua_set_interrupt_value(lua_State *L, int index) {
  if (!lua_checkstack(L, 1)) return false;
  lua_pushvalue(L, index);
  // The key exists since the state was opened, so this allocates nothing.
  lua_rawsetp(L, LUA_REGISTRYINDEX, &interrupt_value_key);
  return true;
}

void clua_open_hooks(lua_State *L, const char *message) {
  lua_pushstring(L, message);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &interrupt_value_key);
  lua_pushliteral(L, HOOKS_KEY);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

void clua_find_protected_calls(lua_State *L) {
  lua_getfield(L, -1, "pcall");
  unhandled_call = lua_tocfunction(L, -1);
  lua_getfield(L, -2, "xpcall");
  handled_call = lua_tocfunction(L, -1);
  lua_pop(L, 2);
}

void clua_replace_hooks(lua_State *L) {
  static const luaL_Reg functions[] = {{"sethook", set_hook}, {"gethook", get_hook}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
