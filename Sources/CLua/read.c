#include <stdio.h>

#include "internal.h"

int clua_type(lua_State *L, int index) { return lua_type(L, index); }
int clua_top(lua_State *L) { return lua_gettop(L); }
bool clua_check_stack(lua_State *L, int count) { return lua_checkstack(L, count); }
void clua_set_top(lua_State *L, int top) { lua_settop(L, top); }
bool clua_to_boolean(lua_State *L, int index) { return lua_toboolean(L, index); }
bool clua_has_metatable(lua_State *L, int index) {
  if (!lua_checkstack(L, 1) || !lua_getmetatable(L, index)) return false;
  lua_pop(L, 1);
  return true;
}

bool clua_is_integer(lua_State *L, int index) { return lua_isinteger(L, index); }
uint64_t clua_raw_length(lua_State *L, int index) { return lua_rawlen(L, index); }
bool clua_raw_equal(lua_State *L, int left, int right) { return lua_rawequal(L, left, right); }
const void *clua_to_pointer(lua_State *L, int index) { return lua_topointer(L, index); }

bool clua_to_integer(lua_State *L, int index, int64_t *value) {
  int converted;
  *value = lua_tointegerx(L, index, &converted);
  return converted;
}

bool clua_to_number(lua_State *L, int index, double *value) {
  int converted;
  *value = lua_tonumberx(L, index, &converted);
  return converted;
}

const char *clua_to_bytes(lua_State *L, int index, size_t *length) {
  // lua_tolstring would convert a number in place, which allocates and so may raise.
  return lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, length) : NULL;
}

size_t clua_number_text(lua_State *L, int index, char text[CLUA_NUMBER_TEXT_BYTES]) {
  int length;
  if (lua_isinteger(L, index)) {
    length = lua_integer2str(text, CLUA_NUMBER_TEXT_BYTES, lua_tointeger(L, index));
  } else {
    length = lua_number2str(text, CLUA_NUMBER_TEXT_BYTES, lua_tonumber(L, index));
    if (text[strspn(text, "-0123456789")] == '\0' && length + 2 < CLUA_NUMBER_TEXT_BYTES) {
      memcpy(text + length, ".0", 3);
      length += 2;
    }
  }
  return length < 0 ? 0 : (size_t)length;
}

typedef struct Name {
  char *bytes;
  size_t capacity;
  size_t length;
} Name;

static void keep_name(Name *name, const char *text) {
  name->length = strlen(text);
  if (name->capacity > 0) snprintf(name->bytes, name->capacity, "%s", text);
}

/// Arguments: the value, a Name. The choice is luaL_typeerror's. [-2, +0]
static int read_type_name(lua_State *L) {
  Name *name = lua_touserdata(L, 2);
  if (luaL_getmetafield(L, 1, "__name") == LUA_TSTRING)
    keep_name(name, lua_tostring(L, -1));
  else if (lua_type(L, 1) == LUA_TLIGHTUSERDATA)
    keep_name(name, "light userdata");
  return 0;
}

size_t clua_type_name(lua_State *L, int index, char *bytes, size_t capacity) {
  Name name = {bytes, capacity, 0};
  index = lua_absindex(L, index);
  keep_name(&name, lua_typename(L, lua_type(L, index)));
  if (lua_type(L, index) != LUA_TNONE && lua_checkstack(L, 3)) {
    lua_pushcfunction(L, read_type_name);
    lua_pushvalue(L, index);
    lua_pushlightuserdata(L, &name);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) lua_pop(L, 1);
  }
  return name.length;
}

void clua_raw_get_index(lua_State *L, int index, int64_t position) { lua_rawgeti(L, index, position); }

typedef struct Key {
  const char *bytes;
  size_t length;
} Key;

/// Arguments: a table, a Key. [-2, +1]
static int raw_get_field(lua_State *L) {
  const Key *key = lua_touserdata(L, 2);
  lua_pushlstring(L, key->bytes, key->length);
  lua_rawget(L, 1);
  return 1;
}

bool clua_raw_get_field(lua_State *L, int index, const char *bytes, size_t length) {
  if (!lua_checkstack(L, 3)) return false;
  Key key = {bytes, length};
  index = lua_absindex(L, index);
  lua_pushcfunction(L, raw_get_field);
  lua_pushvalue(L, index);
  lua_pushlightuserdata(L, &key);
  if (lua_pcall(L, 2, 1, 0) == LUA_OK) return true;
  lua_pop(L, 1);
  return false;
}

/// Arguments: a table, a key. [-2, +2 or 0]
static int next_pair(lua_State *L) { return lua_next(L, 1) ? 2 : 0; }

int clua_next(lua_State *L, int index) {
  index = lua_absindex(L, index);
  int key = lua_gettop(L);
  if (!lua_checkstack(L, 3)) {
    lua_settop(L, key - 1);
    return -1;
  }
  lua_pushcfunction(L, next_pair);
  lua_pushvalue(L, index);
  lua_pushvalue(L, key);
  int status = lua_pcall(L, 2, LUA_MULTRET, 0);
  lua_remove(L, key);
  if (status == LUA_OK) return lua_gettop(L) - (key - 1) == 2;
  lua_pop(L, 1);
  return -1;
}

void clua_push_reference(lua_State *L, int reference) { lua_rawgeti(L, LUA_REGISTRYINDEX, reference); }

void clua_push_nil(lua_State *L) { lua_pushnil(L); }
