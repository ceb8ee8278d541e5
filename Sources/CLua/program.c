#include "internal.h"

/// A string's record as a C string needs a NUL: keys and names go through Lua strings. [-0, +1] May raise.
static const char *push_payload(lua_State *L, const CLuaRecord *record) {
  return lua_pushlstring(L, (const char *)(record + 1), record->value.length);
}

static const char *mode_text(uint32_t mode) {
  switch ((CLuaChunkMode)mode) {
  case CLUA_CHUNK_TEXT: return "t";
  case CLUA_CHUNK_BINARY: return "b";
  case CLUA_CHUNK_ANY: break;
  }
  return "bt";
}

/// [-1, +1] the chunk's name becomes the function.
static int load_bytes(lua_State *L, const CLuaRecord *record) {
  int status = luaL_loadbufferx(L, (const char *)(record + 1), record->value.length, lua_tostring(L, -1),
                                mode_text(record->operand));
  lua_remove(L, -2);
  return status;
}

/// [-0, +1]
static int load_file(lua_State *L, const CLuaRecord *record) {
  const char *name = record->value.length > 0 ? push_payload(L, record) : NULL;
  int status = luaL_loadfilex(L, name, mode_text(record->operand));
  if (name != NULL) lua_remove(L, -2);
  return status;
}

static void check_load(lua_State *L, CLuaOwner *owner, int status) {
  if (status == LUA_OK) return;
  owner->request->load_status = status;
  lua_error(L);
}

/// [-(n+1), +results] Calls on a new coroutine, in which yielding is an error; what it left open is closed.
static void call_alone(lua_State *L, CLuaOwner *owner, int arguments) {
  lua_State *thread = lua_newthread(L);
  lua_insert(L, -(arguments + 2));
  if (!lua_checkstack(thread, arguments + 1)) luaL_error(L, "too many arguments");
  lua_xmove(L, thread, arguments + 1);
  int results = 0;
  int status = clua_resume(owner->watch, L, thread, arguments, &results, CLUA_RUN_COROUTINE);
  if (status != LUA_OK) {
    clua_push_end(L, owner, thread, status, results, "attempt to yield from a function that must return",
                  owner->request->failure);
    owner->request->captured = true;
    lua_error(L);
  }
  luaL_checkstack(L, results, "too many results");
  lua_xmove(thread, L, results);
  lua_remove(L, -(results + 1));
}

static void set_metatable(lua_State *L) {
  if (lua_rawget(L, LUA_REGISTRYINDEX) != LUA_TTABLE) luaL_error(L, "no metatable of this name");
  lua_setmetatable(L, -2);
}

static void push_object(lua_State *L, CLuaOwner *owner, const CLuaRecord *record) {
  const CLuaObjectRecord *object = (const CLuaObjectRecord *)(record + 1);
  if (lua_rawgeti(L, LUA_REGISTRYINDEX, object->metatable) != LUA_TTABLE)
    luaL_error(L, "the registry has been damaged");
  clua_push_box(L, owner, object->object, object->type, record->operand);
}

static void run_record(lua_State *L, CLuaOwner *owner, const CLuaRecord *record) {
  switch ((CLuaOp)record->op) {
  case CLUA_OP_NIL: lua_pushnil(L); break;
  case CLUA_OP_NULL: lua_pushlightuserdata(L, NULL); break;
  case CLUA_OP_BOOLEAN: lua_pushboolean(L, (int)record->operand); break;
  case CLUA_OP_INTEGER: lua_pushinteger(L, record->value.integer); break;
  case CLUA_OP_NUMBER: lua_pushnumber(L, record->value.number); break;
  case CLUA_OP_TABLE: lua_createtable(L, (int)record->operand, (int)record->value.integer); break;
  case CLUA_OP_SET: lua_rawset(L, -3); break;
  case CLUA_OP_APPEND: lua_rawseti(L, -2, record->value.integer); break;
  case CLUA_OP_ARGUMENT: lua_pushvalue(L, (int)record->operand); break;
  case CLUA_OP_GLOBALS: lua_pushglobaltable(L); break;
  case CLUA_OP_GET:
    lua_gettable(L, -2);
    lua_remove(L, -2);
    break;
  case CLUA_OP_PUT:
    lua_settable(L, -3);
    lua_pop(L, 1);
    break;
  case CLUA_OP_CALL: lua_call(L, (int)record->operand, LUA_MULTRET); break;
  case CLUA_OP_CALL_ALONE: call_alone(L, owner, (int)record->operand); break;
  case CLUA_OP_CLOSER: lua_pushcclosure(L, clua_box_close, 1); break;
  case CLUA_OP_INDEXER: lua_pushcclosure(L, clua_box_index, 2); break;
  case CLUA_OP_REFERENCE: lua_rawgeti(L, LUA_REGISTRYINDEX, record->value.integer); break;
  case CLUA_OP_RESULTS: clua_push_results(L, (int)record->operand, record->value.integer); break;
  case CLUA_OP_FUNCTION: clua_push_callback(L, owner, record->value.pointer, record->operand); break;
  case CLUA_OP_BYTES: push_payload(L, record); break;
  case CLUA_OP_METATABLE:
    push_payload(L, record);
    set_metatable(L);
    break;
  case CLUA_OP_NEW_METATABLE:
    luaL_newmetatable(L, push_payload(L, record));
    lua_remove(L, -2);
    break;
  case CLUA_OP_REGISTRY:
    luaL_getsubtable(L, LUA_REGISTRYINDEX, push_payload(L, record));
    lua_remove(L, -2);
    break;
  case CLUA_OP_OBJECT: push_object(L, owner, record); break;
  case CLUA_OP_LOAD: check_load(L, owner, load_bytes(L, record)); break;
  case CLUA_OP_LOAD_FILE: check_load(L, owner, load_file(L, record)); break;
  }
}

/// Executes the records from `position` on. [-0, +values] May raise; `position` then tells what was not executed.
void clua_run_program(lua_State *L, CLuaBuffer *program) {
  while (program->position < program->length) {
    const CLuaRecord *record = (const CLuaRecord *)(const void *)(program->bytes + program->position);
    size_t payload = record->op >= CLUA_OP_BYTES ? record->value.length : 0;
    luaL_checkstack(L, 4, "too many values");
    run_record(L, program->owner, record);
    program->position += sizeof *record + ((payload + 7) & ~(size_t)7);
  }
}
