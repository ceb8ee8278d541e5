#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

static const char owner_key;
static const char closing_key;
static const char anchor_key;

// MARK: Memory

void clua_release_reserve(CLuaMemory *memory) {
  if (memory->reserve_bytes < SIZE_MAX - memory->limit_bytes) memory->limit_bytes += memory->reserve_bytes;
  memory->reserve_bytes = 0;
}

/// lua_Alloc (§4.6) within a limit. Shrinking and freeing always succeed, as Lua assumes.
static void *allocate(void *context, void *block, size_t old_size, size_t new_size) {
  CLuaOwner *owner = context;
  CLuaMemory *memory = &owner->memory;
  size_t held = block != NULL ? old_size : 0; // Without a block, old_size tells the kind of object.
  if (new_size == 0) {
    // The last block is the one that the main thread lies in.
    if (block != NULL && (uintptr_t)owner->main - (uintptr_t)block < held) clua_forget_chain(owner->watch);
    free(block);
    memory->used_bytes -= held;
    return NULL;
  }
  if (new_size > held) {
    memory->calls++;
    size_t growth = new_size - held;
    bool refused = memory->fail_first != 0 && memory->calls >= memory->fail_first
                   && memory->calls - memory->fail_first < memory->fail_count;
    if (refused) return NULL;
    if (memory->used_bytes > memory->limit_bytes || growth > memory->limit_bytes - memory->used_bytes) {
      // Lua asks once more after it has collected garbage; then memory is out.
      if (memory->refused_call + 1 == memory->calls) clua_release_reserve(memory);
      memory->refused_call = memory->calls;
      return NULL;
    }
  }
  void *result = realloc(block, new_size);
  if (result == NULL) {
    if (new_size > held) return NULL;
    result = block; // A block that could not be moved to a smaller place is large enough where it is.
  }
  memory->used_bytes = memory->used_bytes - held + new_size;
  return result;
}

/// Lua calls this for an error outside of any protected call, then aborts: such an error is a bug in CLua.
static int panic(lua_State *L) {
  const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "error object is not a string";
  fprintf(stderr, "PANIC: unprotected error in call to Lua (%s)\n", message);
  fflush(stderr);
  return 0;
}

// MARK: Owners

/// The owner of any thread's state: by the registry, which also works where another program made the state. [-0, +0]
CLuaOwner *clua_owner(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &owner_key);
  CLuaOwner *owner = lua_islightuserdata(L, -1) ? lua_touserdata(L, -1) : NULL;
  lua_pop(L, 1);
  return owner;
}

typedef struct Setup {
  CLuaOwner *owner;
  const char *interrupt_message;
  uint32_t libraries;
  bool ignores_environment;
} Setup;

/// Argument: a Setup. [-1, +0]
static int open_state(lua_State *L) {
  const Setup *setup = lua_touserdata(L, 1);
  // When a message handler fails while memory is out, Lua needs this string where it cannot raise, and panics unless
  // it exists already (5.4.4, luaD_seterrorobj).
  lua_pushliteral(L, "error in error handling");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &anchor_key);
  lua_pushlightuserdata(L, setup->owner);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &owner_key);
  if (setup->ignores_environment) {
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  clua_open_callbacks(L);
  clua_open_hooks(L, setup->interrupt_message);
  clua_open_libraries(L, setup->libraries);
  return 0;
}

CLuaOwner *clua_open(CLuaHost host, CLuaMemory memory, CLuaInterrupt *interrupt, uint32_t libraries,
                     bool ignores_environment, const char *interrupt_message) {
  CLuaOwner *owner = calloc(1, sizeof *owner);
  if (owner == NULL) return NULL;
  owner->host = host;
  owner->memory = memory;
  if (clua_watch_create(owner, interrupt)) owner->main = lua_newstate(allocate, owner);
  if (owner->main == NULL) {
    clua_free(owner);
    return NULL;
  }
  lua_State *L = owner->main;
  *(CLuaOwner **)lua_getextraspace(L) = owner;
  lua_atpanic(L, panic);
  lua_setwarnf(L, clua_warn, owner);
  Setup setup = {owner, interrupt_message, libraries, ignores_environment};
  lua_pushcfunction(L, open_state);
  lua_pushlightuserdata(L, &setup);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    lua_close(L);
    clua_free(owner);
    return NULL;
  }
  clua_watch_start(owner);
  return owner;
}

void clua_close(CLuaOwner *owner) {
  lua_close(owner->main);
  owner->main = NULL;
  owner->closed = true;
}

void clua_free(CLuaOwner *owner) {
  clua_watch_free(owner);
  free(owner->warning);
  free(owner);
}

// MARK: Adopted states

/// Every adopted state's owner, so that what is kept for good can still be reached.
static _Atomic(CLuaOwner *) adopted_owners;

static void keep_adopted(CLuaOwner *owner) {
  owner->next_adopted = atomic_load(&adopted_owners);
  while (!atomic_compare_exchange_weak(&adopted_owners, &owner->next_adopted, owner)) {}
}

/// __gc of the userdata that notices the end of an adopted state. Being the first that was made, it is the last that is
/// finalized (§2.5.3). [-1, +0]
static int close_adopted(lua_State *L) {
  CLuaOwner **held = lua_touserdata(L, 1);
  if (held == NULL || lua_rawlen(L, 1) != sizeof *held || (*held)->closed) return 0;
  (*held)->host.closed((*held)->host.context);
  (*held)->closed = true;
  return 0;
}

/// Argument: the owner. [-1, +0]
static int open_adopted(lua_State *L) {
  CLuaOwner *owner = lua_touserdata(L, 1);
  lua_pushliteral(L, "error in error handling");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &anchor_key);
  lua_pushlightuserdata(L, owner);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &owner_key);
  CLuaOwner **held = lua_newuserdatauv(L, sizeof *held, 0);
  *held = owner;
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, close_adopted);
  lua_setfield(L, -2, "__gc");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &closing_key);
  clua_open_callbacks(L);
  return 0;
}

CLuaOwner *clua_adopt(lua_State *L, CLuaHost host) {
  CLuaOwner *owner = calloc(1, sizeof *owner);
  if (owner == NULL || !lua_checkstack(L, 2)) {
    free(owner);
    return NULL;
  }
  keep_adopted(owner);
  owner->host = host;
  owner->memory.limit_bytes = SIZE_MAX;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  owner->main = lua_tothread(L, -1);
  lua_pop(L, 1);
  lua_pushcfunction(L, open_adopted);
  lua_pushlightuserdata(L, owner);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    lua_pop(L, 1);
    owner->closed = true;  // What open_adopted made so far may still name the owner: it stays.
    return NULL;
  }
  return owner;
}

// MARK: References

/// Argument: any value. [-1, +1]
static int make_reference(lua_State *L) {
  lua_pushinteger(L, luaL_ref(L, LUA_REGISTRYINDEX));
  return 1;
}

bool clua_reference(lua_State *L, int index, int *reference) {
  if (!lua_checkstack(L, 2)) return false;
  index = lua_absindex(L, index);
  lua_pushcfunction(L, make_reference);
  lua_pushvalue(L, index);
  bool made = lua_pcall(L, 1, 1, 0) == LUA_OK;
  if (made) *reference = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return made;
}

/// Argument: a reference. [-1, +0]
static int drop_reference(lua_State *L) {
  luaL_unref(L, LUA_REGISTRYINDEX, (int)lua_tointeger(L, 1));
  return 0;
}

void clua_unreference(lua_State *L, int reference) {
  if (!lua_checkstack(L, 2)) return; // The value then stays until the state closes.
  lua_pushcfunction(L, drop_reference);
  lua_pushinteger(L, reference);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
}

static int collect(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT);
  return 0;
}

void clua_collect(lua_State *L) {
  if (!lua_checkstack(L, 1)) return;
  lua_pushcfunction(L, collect);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) lua_pop(L, 1);
}
