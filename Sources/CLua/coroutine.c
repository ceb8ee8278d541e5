#include "internal.h"

// The functions of the coroutine library that run code of another coroutine (§6.2), which the interrupt must know of.
// Messages and results are those of 5.4.4.

/// Nested closings count nothing in 5.4.4, and a long chain of them overflows the C stack; the limit is LUAI_MAXCCALLS.
#define MAX_DEPTH 200

/// Whether a coroutine has begun and not been suspended since. Resuming it is an error, for which it need not be known.
static bool is_running(lua_State *thread) {
  lua_Debug frame;
  return lua_status(thread) == LUA_OK && lua_getstack(thread, 0, &frame);
}

int clua_resume(CLuaWatch *watch, lua_State *L, lua_State *thread, int arguments, int *results) {
  if (watch == NULL || is_running(thread)) return lua_resume(thread, L, arguments, results);
  CLuaFrame frame;
  clua_enter(watch, &frame, thread);
  int status = lua_resume(thread, L, arguments, results);
  clua_leave(watch, &frame);
  return status;
}

int clua_reset_thread(CLuaWatch *watch, lua_State *L, lua_State *thread) {
  if (watch == NULL) return lua_resetthread(thread);
  if (clua_depth(watch) >= MAX_DEPTH) return luaL_error(L, "C stack overflow");
  CLuaFrame frame;
  clua_enter(watch, &frame, thread);
  int status = lua_resetthread(thread);
  clua_leave(watch, &frame);
  return status;
}

static lua_State *check_thread(lua_State *L) {
  lua_State *thread = lua_tothread(L, 1);
  luaL_argexpected(L, thread != NULL, 1, "thread");
  return thread;
}

/// [-arguments, +results] The number of results, or [-arguments, +1], the error value, and -1.
static int transfer(lua_State *L, lua_State *thread, int arguments) {
  if (!lua_checkstack(thread, arguments)) {
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, thread, arguments);
  int results = 0;
  int status = clua_resume(clua_own(L)->watch, L, thread, arguments, &results);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(thread, L, 1);
    return -1;
  }
  if (!lua_checkstack(L, results + 1)) {
    lua_pop(thread, results);
    lua_pushliteral(L, "too many results to resume");
    return -1;
  }
  lua_xmove(thread, L, results);
  return results;
}

/// coroutine.resume(co, ...). [-arguments, +results]
static int resume(lua_State *L) {
  lua_State *thread = check_thread(L);
  int results = transfer(L, thread, lua_gettop(L) - 1);
  lua_pushboolean(L, results >= 0);
  if (results < 0) results = 1;
  lua_insert(L, -(results + 1));
  return results + 1;
}

/// What coroutine.wrap returns; upvalue 1 is the coroutine. [-arguments, +results]
static int call_wrapped(lua_State *L) {
  lua_State *thread = lua_tothread(L, lua_upvalueindex(1));
  if (thread == NULL) return luaL_error(L, "this function's coroutine is gone"); // debug.setupvalue
  int results = transfer(L, thread, lua_gettop(L));
  if (results >= 0) return results;
  int status = lua_status(thread);
  if (status != LUA_OK && status != LUA_YIELD) {
    status = clua_reset_thread(clua_own(L)->watch, L, thread);
    lua_xmove(thread, L, 1);
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

/// coroutine.wrap(f). [-arguments, +1]
static int wrap(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *thread = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, thread, 1);
  lua_pushcclosure(L, call_wrapped, 1);
  return 1;
}

/// coroutine.close(co). [-arguments, +1 or 2]
static int close_thread(lua_State *L) {
  lua_State *thread = check_thread(L);
  if (thread == L) return luaL_error(L, "cannot close a running coroutine");
  if (is_running(thread)) return luaL_error(L, "cannot close a normal coroutine");
  int status = clua_reset_thread(clua_own(L)->watch, L, thread);
  lua_pushboolean(L, status == LUA_OK);
  if (status == LUA_OK) return 1;
  lua_xmove(thread, L, 1);
  return 2;
}

void clua_replace_coroutines(lua_State *L) {
  static const luaL_Reg functions[] = {{"resume", resume}, {"wrap", wrap}, {"close", close_thread}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
