#include "internal.h"

// Coroutines that Swift resumes, and in which its callbacks can wait. A callback that waits parks the coroutine that
// called it, and each coroutine between that one and the fiber's own parks in its turn, in the resume that it is in. To
// scripts all of them are as good as running: nothing but the fiber's next resuming goes on with them.

// MARK: Parking

int clua_park(lua_State *L, CLuaOwner *owner, lua_KFunction continuation, lua_State *child) {
  // In other programs' states the word is not ours. There only a fiber's own coroutine parks, and `waking` guards it.
  if (owner->watch != NULL) *(uintptr_t *)lua_getextraspace(L) |= 1;
  owner->parked = L;
  return lua_yieldk(L, 0, (lua_KContext)child, continuation);
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

uint32_t clua_chain(const CLuaOwner *owner, lua_State *L, const void **threads, uint32_t max) {
  if (owner->watch != NULL) return clua_running(owner->watch, threads, max);
  uint32_t count = 0;
  const lua_State *last = owner->fiber != NULL ? owner->fiber : owner->main;
  if (count < max) threads[count++] = L;
  if (count < max && last != L) threads[count++] = last;
  return count;
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

/// Arguments: values. [-all, +1] A reference to a table of them.
static int keep(lua_State *L) {
  int count = lua_gettop(L);
  lua_createtable(L, count, 0);
  lua_insert(L, 1);
  for (int index = count; index >= 1; index--) lua_rawseti(L, 1, index);
  lua_pushinteger(L, luaL_ref(L, LUA_REGISTRYINDEX));
  return 1;
}

/// Takes the results off a coroutine, which is dead then to whoever else has it. [-0, +0] False, and [-0, +1], on an error.
static bool take_results(lua_State *L, lua_State *thread, int count, CLuaResults *results) {
  if (count == 0) return true;
  if (!lua_checkstack(L, count + 1)) {
    lua_pop(thread, count);
    lua_pushnil(L);
    return false;
  }
  lua_pushcfunction(L, keep);
  lua_xmove(thread, L, count);
  if (lua_pcall(L, count, 1, 0) != LUA_OK) return false;
  *results = (CLuaResults){count, (int)lua_tointeger(L, -1)};
  lua_pop(L, 1);
  return true;
}

/// Argument: a message. [-0, +1] That, as an error value.
static int push_text(lua_State *L) {
  lua_pushstring(L, lua_touserdata(L, 1));
  return 1;
}

CLuaFiberStatus clua_fiber_resume(CLuaOwner *owner, lua_State *L, lua_State *thread, bool begun, CLuaResults *results,
                                  CLuaFailure *failure) {
  *failure = (CLuaFailure){0};
  *results = (CLuaResults){0};
  if (!lua_checkstack(L, 3)) return CLUA_FIBER_FAILED;
  if (begun && lua_status(thread) != LUA_YIELD) {
    // In another program's state a script can close it.
    lua_pushcfunction(L, push_text);
    lua_pushlightuserdata(L, "the task's coroutine was closed");
    lua_pcall(L, 1, 1, 0);
    failure->has_value = true;
    return CLUA_FIBER_FAILED;
  }
  lua_State *outer = owner->fiber;
  owner->fiber = thread;
  owner->parked = NULL;
  owner->waking = begun;
  int count = 0;
  int status = clua_resume(owner->watch, L, thread, begun ? 0 : lua_gettop(thread) - 1, &count, CLUA_RUN_FIBER);
  owner->fiber = outer;
  owner->waking = false;
  if (status == LUA_YIELD && owner->parked == thread) return CLUA_FIBER_PARKED;
  if (status == LUA_OK) {
    if (take_results(L, thread, count, results)) return CLUA_FIBER_ENDED;
    failure->has_value = true;
    return CLUA_FIBER_FAILED;
  }
  End end = {owner, thread, status, count, failure};
  lua_pushcfunction(L, push_end);
  lua_pushlightuserdata(L, &end);
  // Where memory is out, that error takes the place of the fiber's own.
  lua_pcall(L, 1, 1, 0);
  failure->has_value = true;
  return CLUA_FIBER_FAILED;
}

/// Argument: an End. [-1, +0]
static int close_fiber(lua_State *L) {
  const End *end = lua_touserdata(L, 1);
  clua_close_chain(L, end->owner, end->thread);
  return 0;
}

void clua_fiber_close(CLuaOwner *owner, lua_State *L, lua_State *thread) {
  if (!lua_checkstack(L, 2)) return;
  End end = {.owner = owner, .thread = thread};
  lua_pushcfunction(L, close_fiber);
  lua_pushlightuserdata(L, &end);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
}

void clua_push_results(lua_State *L, int count, lua_Integer reference) {
  if (count == 0) return;
  luaL_checkstack(L, count + 1, "too many results");
  if (lua_rawgeti(L, LUA_REGISTRYINDEX, reference) != LUA_TTABLE) luaL_error(L, "the registry has been damaged");
  int table = lua_gettop(L);
  for (int index = 1; index <= count; index++) lua_rawgeti(L, table, index);
  lua_remove(L, table);
}
