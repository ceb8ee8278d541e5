#include "internal.h"

/// The registry's table of script hooks: thread (weak) -> ScriptHook, whose user value is the script's function.
static const char hooks_key;
static const char interrupt_value_key;

/// What a script asked debug.sethook for on one thread.
///
/// Our own count event comes at least every CLUA_POLL_INSTRUCTIONS, so a longer count of the script's is cut into
/// intervals; `remaining` counts down to the event that it sees.
typedef struct ScriptHook {
  int mask;
  int count;
  int remaining;
  int interval;
} ScriptHook;

static int next_interval(ScriptHook *script) {
  if (!(script->mask & LUA_MASKCOUNT)) return CLUA_POLL_INSTRUCTIONS;
  if (script->remaining <= 0) script->remaining = script->count;
  script->interval = script->remaining < CLUA_POLL_INSTRUCTIONS ? script->remaining : CLUA_POLL_INSTRUCTIONS;
  return script->interval;
}

/// The script's hook on the running thread. [-0, +0], or [-0, +1], its function, when there is one.
static ScriptHook *find_script_hook(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key);
  if (lua_istable(L, -1)) {
    lua_pushthread(L);
    lua_rawget(L, -2);
    if (lua_type(L, -1) == LUA_TUSERDATA && lua_rawlen(L, -1) == sizeof(ScriptHook)
        && lua_getiuservalue(L, -1, 1) == LUA_TFUNCTION) {
      ScriptHook *script = lua_touserdata(L, -2);
      lua_replace(L, -3);
      lua_pop(L, 1);
      return script;
    }
  }
  return NULL;
}

static void call_script_hook(lua_State *L, const lua_Debug *event) {
  static const char *const names[] = {"call", "return", "line", "count", "tail call"};
  lua_pushstring(L, names[event->event]);
  if (event->currentline >= 0)
    lua_pushinteger(L, event->currentline);
  else
    lua_pushnil(L);
  lua_call(L, 2, 0);
}

/// The one hook of every thread (lua_Hook, §4.7). Runs with at least LUA_MINSTACK free slots. [-0, +0]
static void hook(lua_State *L, lua_Debug *event) {
  CLuaOwner *owner = clua_owner(L);
  if (owner == NULL) return;
  int top = lua_gettop(L);
  bool counted = event->event == LUA_HOOKCOUNT;
  if (counted && clua_interrupt_get(owner->interrupt)) {
    // From now on every instruction of this thread raises, so that no pcall loop outlives the interrupt.
    lua_sethook(L, hook, lua_gethookmask(L), 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &interrupt_value_key);
    lua_error(L);
  }
  ScriptHook *script = owner->has_script_hooks ? find_script_hook(L) : NULL;
  if (script == NULL) {
    lua_settop(L, top);
    // Back to the usual pace after an interrupt that was cleared, and where a coroutine inherited another thread's.
    if (counted && (lua_gethookcount(L) != CLUA_POLL_INSTRUCTIONS || lua_gethookmask(L) != LUA_MASKCOUNT))
      lua_sethook(L, hook, LUA_MASKCOUNT, CLUA_POLL_INSTRUCTIONS);
    return;
  }
  bool wanted = true;
  if (counted) {
    wanted = false;
    if (script->mask & LUA_MASKCOUNT) {
      script->remaining -= script->interval;
      wanted = script->remaining <= 0;
    }
    int interval = next_interval(script);
    if (interval != lua_gethookcount(L)) lua_sethook(L, hook, lua_gethookmask(L), interval);
  }
  if (wanted) call_script_hook(L, event);
  lua_settop(L, top);
}

// MARK: debug.sethook and debug.gethook (§6.10), which see only the script's own hooks

static lua_State *thread_argument(lua_State *L, int *offset) {
  *offset = lua_isthread(L, 1) ? 1 : 0;
  return *offset ? lua_tothread(L, 1) : L;
}

/// Pushes the thread that a call is about. [-0, +1]
static void push_thread(lua_State *L, int offset) {
  if (offset)
    lua_pushvalue(L, 1);
  else
    lua_pushthread(L);
}

/// debug.sethook([thread,] hook, mask [, count]). [-arguments, +0]
static int set_hook(lua_State *L) {
  int offset;
  lua_State *thread = thread_argument(L, &offset);
  CLuaOwner *owner = clua_owner(L);
  int mask = 0;
  int count = 0;
  if (!lua_isnoneornil(L, offset + 1)) {
    const char *events = luaL_checkstring(L, offset + 2);
    luaL_checktype(L, offset + 1, LUA_TFUNCTION);
    count = (int)luaL_optinteger(L, offset + 3, 0);
    if (strchr(events, 'c')) mask |= LUA_MASKCALL;
    if (strchr(events, 'r')) mask |= LUA_MASKRET;
    if (strchr(events, 'l')) mask |= LUA_MASKLINE;
    if (count > 0) mask |= LUA_MASKCOUNT;
  }
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key) != LUA_TTABLE || owner == NULL)
    return luaL_error(L, "the registry has been damaged");
  push_thread(L, offset);
  int interval = CLUA_POLL_INSTRUCTIONS;
  if (mask == 0) {
    lua_pushnil(L);
  } else {
    ScriptHook *script = lua_newuserdatauv(L, sizeof *script, 1);
    *script = (ScriptHook){.mask = mask, .count = count};
    interval = next_interval(script);
    lua_pushvalue(L, offset + 1);
    lua_setiuservalue(L, -2, 1);
    owner->has_script_hooks = true;
  }
  lua_rawset(L, -3);
  lua_sethook(thread, hook, mask | LUA_MASKCOUNT, interval);
  return 0;
}

/// debug.gethook([thread]) -> hook, mask, count. [-arguments, +1 or +3]
static int get_hook(lua_State *L) {
  int offset;
  thread_argument(L, &offset);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key);
  push_thread(L, offset);
  if (!lua_istable(L, -2) || lua_rawget(L, -2) != LUA_TUSERDATA) {
    luaL_pushfail(L);
    return 1;
  }
  const ScriptHook *script = lua_touserdata(L, -1);
  char events[4];
  char *end = events;
  if (script->mask & LUA_MASKCALL) *end++ = 'c';
  if (script->mask & LUA_MASKRET) *end++ = 'r';
  if (script->mask & LUA_MASKLINE) *end++ = 'l';
  int count = script->count;
  lua_getiuservalue(L, -1, 1);
  lua_pushlstring(L, events, (size_t)(end - events));
  lua_pushinteger(L, count);
  return 3;
}

bool clua_set_interrupt_value(lua_State *L, int index) {
  if (!lua_checkstack(L, 1)) return false;
  lua_pushvalue(L, index);
  // The key exists since the state was opened, so this allocates nothing.
  lua_rawsetp(L, LUA_REGISTRYINDEX, &interrupt_value_key);
  return true;
}

/// Installs the hook, before any coroutine exists, and its two doors in the debug library. [-0, +0] May raise.
void clua_open_hooks(lua_State *L, const char *message) {
  lua_pushstring(L, message);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &interrupt_value_key);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &hooks_key);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, LUA_DBLIBNAME) == LUA_TTABLE) {
    lua_pushcfunction(L, set_hook);
    lua_setfield(L, -2, "sethook");
    lua_pushcfunction(L, get_hook);
    lua_setfield(L, -2, "gethook");
  }
  lua_pop(L, 2);
  lua_sethook(L, hook, LUA_MASKCOUNT, CLUA_POLL_INSTRUCTIONS);
}
