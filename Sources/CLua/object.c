#include "internal.h"

static const char magic;
static const char callback_metatable_key;
const char clua_callback_type;

/// The box at `index`, or NULL when something else is there. [-0, +0]
CLuaBox *clua_box(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TUSERDATA || lua_rawlen(L, index) != sizeof(CLuaBox)) return NULL;
  CLuaBox *box = lua_touserdata(L, index);
  return box->magic == &magic ? box : NULL;
}

static void release(CLuaBox *box) {
  if (box->object == NULL) return;
  box->object = NULL;
  if (!box->owner->closed) box->owner->host.release(box->owner->host.context, box->slot);
}

/// Pushes a box and makes it own `slot`. The metatable is on top and is popped. [-1, +1] May raise (memory), and then
/// the slot is still the caller's.
void clua_push_box(lua_State *L, CLuaOwner *owner, void *object, const void *type, uint32_t slot) {
  CLuaBox *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->magic = &magic;
  box->owner = owner;
  box->object = NULL;
  box->type = type;
  box->slot = slot;
  lua_insert(L, -2);
  lua_setmetatable(L, -2);
  // Nothing raises from here on: the userdata owns the slot.
  box->object = object;
}

/// __gc of a callback. [-0, +0]
static int callback_collect(lua_State *L) {
  CLuaBox *box = clua_box(L, 1);
  if (box != NULL) release(box);
  return 0;
}

/// __gc and __close of an object: calls upvalue 1 (a function or nil) with the arguments, then releases the object
/// whether or not the function raised, then raises what it raised. [-0, +0]
int clua_box_close(lua_State *L) {
  CLuaBox *box = clua_box(L, 1);
  if (box == NULL || box->object == NULL) return 0;
  int status = LUA_OK;
  if (!lua_isnil(L, lua_upvalueindex(1))) {
    int count = lua_gettop(L);
    luaL_checkstack(L, count + 1, NULL);
    lua_pushvalue(L, lua_upvalueindex(1));
    for (int index = 1; index <= count; index++) lua_pushvalue(L, index);
    status = lua_pcall(L, count, 0, 0);
  }
  release(box);
  return status == LUA_OK ? 0 : lua_error(L);
}

/// __index of a type with methods and an index function: upvalue 1 is the method table, 2 the function. [-0, +1]
int clua_box_index(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  lua_settop(L, 2);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  lua_call(L, 2, 1);
  return 1;
}

/// Makes the metatable of callbacks' boxes. [-0, +0] May raise.
void clua_open_callbacks(lua_State *L) {
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, callback_collect);
  lua_setfield(L, -2, "__gc");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &callback_metatable_key);
}

/// Pushes the function for a callback. [-0, +1] May raise, and then the slot is still the caller's.
void clua_push_callback(lua_State *L, CLuaOwner *owner, void *callback, uint32_t slot) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &callback_metatable_key) != LUA_TTABLE)
    luaL_error(L, "the registry has been damaged");
  clua_push_box(L, owner, callback, &clua_callback_type, slot);
  lua_pushcclosure(L, clua_trampoline, 1);
}

CLuaObjectState clua_object(lua_State *L, int index, const void *type, void **object) {
  CLuaBox *box = clua_box(L, index);
  if (box == NULL || box->type != type) return CLUA_OBJECT_NONE;
  if (box->object == NULL || box->owner->closed) return CLUA_OBJECT_CLOSED;
  *object = box->object;
  return CLUA_OBJECT_OPEN;
}

void clua_object_release(lua_State *L, int index) {
  CLuaBox *box = clua_box(L, index);
  if (box != NULL) release(box);
}
