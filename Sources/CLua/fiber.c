#include "internal.h"

// Coroutines that Swift resumes, and in which its callbacks can wait. A callback that waits parks the coroutine that
// called it, and each coroutine between that one and the fiber's own parks in its turn, in the resume that it is in. To
// scripts all of them are as good as running: nothing but the fiber's next resuming goes on with them.

// MARK: Parking

int clua_park(lua_State *L, CLuaOwner *owner, lua_KFunction continuation) {
  // In other programs' states the word is not ours. There only a fiber's own coroutine parks, and `waking` guards it.
  if (owner->watch != NULL) *(uintptr_t *)lua_getextraspace(L) |= 1;
  owner->parked = L;
  return lua_yieldk(L, 0, 0, continuation);
}

bool clua_unpark(lua_State *L, const CLuaOwner *owner) {
  if (!owner->waking) return false;
  if (owner->watch != NULL) *(uintptr_t *)lua_getextraspace(L) &= ~(uintptr_t)1;
  return true;
}

bool clua_can_park(const CLuaOwner *owner, lua_State *L) {
  if (owner->watch != NULL) return clua_can_unwind(owner->watch, L);
  return owner->fiber == L && lua_isyieldable(L);
}

bool clua_is_finalizing(lua_State *L) {
  // 5.4.4 refuses every use of lua_gc by this result while it calls a finalizer (lapi.c).
  return lua_gc(L, LUA_GCCOUNT) < 0;
}

// MARK: Fibers

/// Arguments: a function and its arguments. [-all, +2] The coroutine that will call it, and a reference to that.
static int create(lua_State *L) {
  int count = lua_gettop(L);
  lua_State *thread = lua_newthread(L);
  lua_insert(L, 1);
  if (!lua_checkstack(thread, count)) return luaL_error(L, "too many arguments");
  lua_xmove(L, thread, count);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, luaL_ref(L, LUA_REGISTRYINDEX));
  return 2;
}

bool clua_fiber_create(lua_State *L, int first, lua_State **thread, int *reference) {
  int count = lua_gettop(L) - first + 1;
  if (!lua_checkstack(L, count + 2)) return false;
  lua_pushcfunction(L, create);
  for (int index = first; index < first + count; index++) lua_pushvalue(L, index);
  if (lua_pcall(L, count, 2, 0) != LUA_OK) {
    lua_pop(L, 1);
    return false;
  }
  *thread = lua_tothread(L, -2);
  *reference = (int)lua_tointeger(L, -1);
  lua_pop(L, 2);
  return true;
}

typedef struct End {
  CLuaOwner *owner;
  lua_State *thread;
  int status;
  int yielded;
  CLuaFailure *failure;
} End;

/// Argument: an End. [-1, +1]
static int push_end(lua_State *L) {
  const End *end = lua_touserdata(L, 1);
  clua_push_end(L, end->owner, end->thread, end->status, end->yielded,
                "attempt to yield from a task (vault.sleep(0) lets others run)", end->failure);
  return 1;
}

CLuaFiberStatus clua_fiber_resume(CLuaOwner *owner, lua_State *L, lua_State *thread, CLuaFailure *failure) {
  *failure = (CLuaFailure){0};
  bool begun = lua_status(thread) == LUA_YIELD;
  lua_State *outer = owner->fiber;
  owner->fiber = thread;
  owner->parked = NULL;
  owner->waking = begun;
  int results = 0;
  int status = clua_resume(owner->watch, L, thread, begun ? 0 : lua_gettop(thread) - 1, &results, CLUA_RUN_FIBER);
  owner->fiber = outer;
  owner->waking = false;
  if (status == LUA_OK) return CLUA_FIBER_ENDED;
  if (status == LUA_YIELD && owner->parked == thread) return CLUA_FIBER_PARKED;
  if (!lua_checkstack(L, 2)) return CLUA_FIBER_FAILED;
  End end = {owner, thread, status, results, failure};
  lua_pushcfunction(L, push_end);
  lua_pushlightuserdata(L, &end);
  // Where memory is out, that error takes the place of the fiber's own.
  lua_pcall(L, 1, 1, 0);
  failure->has_value = true;
  return CLUA_FIBER_FAILED;
}

/// The innermost goes first: what it waits in may need what the others hold. May raise.
static void close_chain(lua_State *L, CLuaOwner *owner, lua_State *thread) {
  luaL_checkstack(L, 2, NULL);
  lua_State *child = owner->watch != NULL ? clua_parked_child(thread) : NULL;
  if (child != NULL) close_chain(L, owner, child);
  if (owner->watch != NULL) *(uintptr_t *)lua_getextraspace(thread) &= ~(uintptr_t)1;
  if (clua_reset_thread(owner->watch, L, thread) != LUA_OK) lua_pop(thread, 1);
}

/// Argument: an End. [-1, +0]
static int close_fiber(lua_State *L) {
  const End *end = lua_touserdata(L, 1);
  close_chain(L, end->owner, end->thread);
  return 0;
}

void clua_fiber_close(CLuaOwner *owner, lua_State *L, lua_State *thread) {
  if (!lua_checkstack(L, 2)) return;
  End end = {.owner = owner, .thread = thread};
  lua_pushcfunction(L, close_fiber);
  lua_pushlightuserdata(L, &end);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
}

void clua_push_results(lua_State *L, lua_State *thread) {
  int count = lua_gettop(thread);
  luaL_checkstack(L, count, "too many results");
  if (!lua_checkstack(thread, 1)) luaL_error(L, "too many results");
  for (int index = 1; index <= count; index++) {
    lua_pushvalue(thread, index);
    lua_xmove(thread, L, 1);
  }
}
