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

int clua_resume(CLuaWatch *watch, lua_State *L, lua_State *thread, int arguments, int *results, CLuaRun run) {
  if (watch == NULL || is_running(thread)) return lua_resume(thread, L, arguments, results);
  CLuaFrame frame;
  clua_enter(watch, &frame, thread, run);
  int status = lua_resume(thread, L, arguments, results);
  clua_leave(watch, &frame);
  return status;
}

int clua_reset_thread(CLuaWatch *watch, lua_State *L, lua_State *thread) {
  if (watch == NULL) return lua_resetthread(thread);
  if (clua_depth(watch) >= MAX_DEPTH) return luaL_error(L, "C stack overflow");
  CLuaFrame frame;
  clua_enter(watch, &frame, thread, CLUA_RUN_CLOSING);
  int status = lua_resetthread(thread);
  clua_leave(watch, &frame);
  return status;
}

static lua_State *check_thread(lua_State *L) {
  lua_State *thread = lua_tothread(L, 1);
  luaL_argexpected(L, thread != NULL, 1, "thread");
  return thread;
}

/// What transfer returns when `thread` has parked.
enum { FAILED = -1, PARKED = -2 };

/// Resumes `thread`, which has its arguments. [-0, +results] The number of results, or [-0, +1], the error value, and
/// FAILED, or [-0, +0] and PARKED.
static int run(lua_State *L, lua_State *thread, int arguments) {
  int results = 0;
  int status = clua_resume(clua_own(L)->watch, L, thread, arguments, &results, CLUA_RUN_COROUTINE);
  if (status == LUA_YIELD && clua_is_parked(thread)) return PARKED;
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(thread, L, 1);
    return FAILED;
  }
  if (!lua_checkstack(L, results + 1)) {
    lua_pop(thread, results);
    lua_pushliteral(L, "too many results to resume");
    return FAILED;
  }
  lua_xmove(thread, L, results);
  return results;
}

/// [-arguments, ...] as `run`.
static int transfer(lua_State *L, lua_State *thread, int arguments) {
  if (clua_is_parked(thread)) {
    lua_pushliteral(L, "cannot resume non-suspended coroutine");
    return FAILED;
  }
  if (!lua_checkstack(thread, arguments)) {
    lua_pushliteral(L, "too many arguments to resume");
    return FAILED;
  }
  lua_xmove(L, thread, arguments);
  return run(L, thread, arguments);
}

static int go_on_resume(lua_State *L, int status, lua_KContext context);

/// [-results, +values] What coroutine.resume returns for what transfer returned.
static int finish_resume(lua_State *L, lua_State *thread, int results) {
  if (results == PARKED) return clua_park(L, clua_own(L), go_on_resume, thread);
  lua_pushboolean(L, results >= 0);
  if (results < 0) results = 1;
  lua_insert(L, -(results + 1));
  return results + 1;
}

/// Goes on with what parked. [-0, +values]
static int go_on_resume(lua_State *L, int status, lua_KContext context) {
  (void)status;
  lua_State *thread = (lua_State *)context;
  if (!clua_unpark(L, clua_own(L))) return clua_park(L, clua_own(L), go_on_resume, thread);
  if (lua_tothread(L, 1) != thread) return luaL_error(L, "the coroutine that is waited for is gone"); // debug.setlocal
  return finish_resume(L, thread, run(L, thread, 0));
}

/// coroutine.resume(co, ...). [-arguments, +results]
static int resume(lua_State *L) {
  lua_State *thread = check_thread(L);
  return finish_resume(L, thread, transfer(L, thread, lua_gettop(L) - 1));
}

static int go_on_wrapped(lua_State *L, int status, lua_KContext context);

/// [-results, +values]
static int finish_wrapped(lua_State *L, lua_State *thread, int results) {
  if (results == PARKED) return clua_park(L, clua_own(L), go_on_wrapped, thread);
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

/// Goes on with what parked. [-0, +values]
static int go_on_wrapped(lua_State *L, int status, lua_KContext context) {
  (void)status;
  lua_State *thread = (lua_State *)context;
  if (!clua_unpark(L, clua_own(L))) return clua_park(L, clua_own(L), go_on_wrapped, thread);
  if (lua_tothread(L, lua_upvalueindex(1)) != thread) return luaL_error(L, "this function's coroutine is gone");
  return finish_wrapped(L, thread, run(L, thread, 0));
}

/// What coroutine.wrap returns; upvalue 1 is the coroutine. [-arguments, +results]
static int call_wrapped(lua_State *L) {
  lua_State *thread = lua_tothread(L, lua_upvalueindex(1));
  if (thread == NULL) return luaL_error(L, "this function's coroutine is gone"); // debug.setupvalue
  return finish_wrapped(L, thread, transfer(L, thread, lua_gettop(L)));
}

lua_State *clua_parked_child(lua_State *thread) {
  lua_Debug frame;
  if (!clua_is_parked(thread) || !lua_getstack(thread, 0, &frame) || !lua_checkstack(thread, 2)) return NULL;
  int top = lua_gettop(thread);
  lua_getinfo(thread, "f", &frame);
  lua_CFunction function = lua_tocfunction(thread, -1);
  bool found = false;
  if (function == call_wrapped) found = lua_getupvalue(thread, -1, 1) != NULL;
  if (function == resume) found = lua_getlocal(thread, &frame, 1) != NULL;
  lua_State *child = found ? lua_tothread(thread, -1) : NULL;
  lua_settop(thread, top);
  return child != NULL && clua_is_parked(child) ? child : NULL;
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
  if (is_running(thread) || clua_is_parked(thread)) return luaL_error(L, "cannot close a normal coroutine");
  int status = clua_reset_thread(clua_own(L)->watch, L, thread);
  lua_pushboolean(L, status == LUA_OK);
  if (status == LUA_OK) return 1;
  lua_xmove(thread, L, 1);
  return 2;
}

/// coroutine.status(co). [-arguments, +1]
static int status(lua_State *L) {
  lua_State *thread = check_thread(L);
  const char *text = "dead";
  if (thread == L)
    text = "running";
  else if (is_running(thread) || clua_is_parked(thread))
    text = "normal";
  else if (lua_status(thread) == LUA_YIELD || (lua_status(thread) == LUA_OK && lua_gettop(thread) > 0))
    text = "suspended";
  lua_pushstring(L, text);
  return 1;
}

void clua_close_chain(lua_State *L, CLuaOwner *owner, lua_State *thread) {
  luaL_checkstack(L, 2, NULL);
  lua_State *child = owner->watch != NULL ? clua_parked_child(thread) : NULL;
  if (child != NULL) clua_close_chain(L, owner, child);
  if (owner->watch != NULL) *(uintptr_t *)lua_getextraspace(thread) &= ~(uintptr_t)1;
  if (clua_reset_thread(owner->watch, L, thread) != LUA_OK) lua_pop(thread, 1);
}

void clua_replace_coroutines(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"resume", resume}, {"wrap", wrap}, {"close", close_thread}, {"status", status}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
