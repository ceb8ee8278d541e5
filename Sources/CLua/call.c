#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

// MARK: Callbacks

/// Raises the memory error itself: lua_error knows this string (§4.4.1), which the state keeps from its start.
int clua_raise_memory_error(lua_State *L) {
  lua_pushliteral(L, "not enough memory");
  return lua_error(L);
}

/// Runs a buffer's program on copies of the callback's arguments. [-all, +values]
static int run_protected(lua_State *L) {
  CLuaBuffer *buffer = lua_touserdata(L, -1);
  lua_pop(L, 1);
  int arguments = lua_gettop(L);
  clua_run_program(L, buffer);
  return lua_gettop(L) - arguments;
}

/// Pushes the values of a buffer that must be disposed of. [-0, +values] Raises after that.
static int push_owned(lua_State *L, CLuaBuffer *buffer, int arguments) {
  int top = lua_gettop(L);
  int status = LUA_ERRMEM;
  if (!buffer->failed && lua_checkstack(L, arguments + 2)) {
    lua_pushcfunction(L, run_protected);
    for (int index = 1; index <= arguments; index++) lua_pushvalue(L, index);
    lua_pushlightuserdata(L, buffer);
    status = lua_pcall(L, arguments + 1, LUA_MULTRET, 0);
  }
  clua_buffer_dispose(buffer);
  if (status != LUA_OK) return lua_gettop(L) > top ? lua_error(L) : clua_raise_memory_error(L);
  return lua_gettop(L) - top;
}

/// Pushes the position of the code that called the running function, if need be through C functions: ipairs and
/// __index stand between a script and its mistake. [-0, +1]
static void push_position(lua_State *L) {
  for (int level = 1; level <= 3; level++) {
    luaL_where(L, level);
    if (lua_rawlen(L, -1) > 0) return;
    lua_pop(L, 1);
  }
  lua_pushliteral(L, "");
}

/// Raises the value on top. The callback was called with `arguments` arguments.
static int raise(lua_State *L, const CLuaBuffer *buffer, int arguments) {
  int argument = (int)buffer->argument;
  switch ((CLuaRaise)buffer->raise) {
  case CLUA_RAISE_VALUE: break;
  case CLUA_RAISE_MESSAGE:
    push_position(L);
    lua_insert(L, -2);
    lua_concat(L, 2);
    break;
  case CLUA_RAISE_ARGUMENT: return luaL_argerror(L, argument, lua_tostring(L, -1));
  case CLUA_RAISE_TYPE:
    if (argument <= arguments) return luaL_typeerror(L, argument, lua_tostring(L, -1));
    // luaL_typeerror would look at what is on the stack above the arguments.
    return luaL_argerror(L, argument, lua_pushfstring(L, "%s expected, got no value", lua_tostring(L, -1)));
  }
  return lua_error(L);
}

static int go_on(lua_State *L, int status, lua_KContext context);

/// Does what Swift has answered. [-arguments, +results]
///
/// Whatever raises here does so after Swift has returned and after the buffer's memory and slots are given back: a
/// buffer without either is executed in place, any other inside lua_pcall.
static int carry_out(lua_State *L, CLuaOutcome outcome, CLuaBuffer *buffer, int arguments) {
  if (outcome == CLUA_PARK) {
    clua_buffer_dispose(buffer);
    return clua_park(L, buffer->owner, go_on, NULL);
  }
  int values;
  if (buffer->heap || buffer->owns || buffer->failed) {
    values = push_owned(L, buffer, arguments);
  } else {
    int top = lua_gettop(L);
    clua_run_program(L, buffer);
    values = lua_gettop(L) - top;
  }
  return outcome == CLUA_RETURN ? values : raise(L, buffer, arguments);
}

/// The owner of the running callback, or NULL. [-0, +0]
static CLuaBox *callback_box(lua_State *L) {
  CLuaBox *box = clua_box(L, lua_upvalueindex(1));
  bool usable = box != NULL && box->object != NULL && !box->owner->closed && box->type == &clua_callback_type;
  return usable ? box : NULL;
}

/// Every callback's C function; upvalue 1 is its box. [-arguments, +results]
int clua_trampoline(lua_State *L) {
  CLuaBox *box = callback_box(L);
  if (box == NULL) return luaL_error(L, "this function's state is closing");
  CLuaOwner *owner = box->owner;
  uint64_t small[CLUA_SMALL_BUFFER_BYTES / sizeof(uint64_t)];
  CLuaBuffer buffer;
  clua_buffer_init(&buffer, owner, small, sizeof small);
  int arguments = lua_gettop(L);
  CLuaOutcome outcome = owner->host.call(owner->host.context, box->object, L, &buffer);
  return carry_out(L, outcome, &buffer, arguments);
}

/// Goes on with a callback that has parked; its arguments are still there. [-arguments, +results]
static int go_on(lua_State *L, int status, lua_KContext context) {
  (void)status, (void)context;
  CLuaBox *box = callback_box(L);
  if (box == NULL) return luaL_error(L, "this function's state is closing");
  CLuaOwner *owner = box->owner;
  if (!clua_unpark(L, owner)) return clua_park(L, owner, go_on, NULL);
  owner->waking = false;
  uint64_t small[CLUA_SMALL_BUFFER_BYTES / sizeof(uint64_t)];
  CLuaBuffer buffer;
  clua_buffer_init(&buffer, owner, small, sizeof small);
  int arguments = lua_gettop(L);
  CLuaOutcome outcome = owner->host.go_on(owner->host.context, L, &buffer);
  return carry_out(L, outcome, &buffer, arguments);
}

// MARK: Failures

static char *copy(const char *text, size_t length) {
  char *bytes = malloc(length + 1);
  if (bytes != NULL) memcpy(bytes, text, length);
  return bytes;
}

static void set_message(CLuaFailure *failure, const char *text, size_t length) {
  failure->message = copy(text, length);
  failure->message_length = failure->message != NULL ? length : 0;
}

/// Argument: the error value. [-1, +1] Its __tostring, or nil.
static int find_text_function(lua_State *L) {
  if (luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL) lua_pushnil(L);
  return 1;
}

/// Finds the text of the error value on top, as lua.c's handler does. [-0, +0]
///
/// __tostring is called straight from the running handler's frame: scripts may count the levels between (§6.10).
static void describe_message(lua_State *L, CLuaFailure *failure) {
  size_t length = 0;
  const char *text = clua_to_bytes(L, -1, &length);
  char buffer[CLUA_NUMBER_TEXT_BYTES];
  if (text != NULL) return set_message(failure, text, length);
  if (lua_type(L, -1) == LUA_TNUMBER)
    return set_message(failure, buffer, clua_number_text(L, -1, buffer));
  int value = lua_gettop(L);
  lua_pushcfunction(L, find_text_function);
  lua_pushvalue(L, value);
  int status = lua_pcall(L, 1, 1, 0);
  bool has_function = status == LUA_OK && !lua_isnil(L, -1);
  if (has_function) {
    lua_pushvalue(L, value);
    status = lua_pcall(L, 1, 1, 0);
  }
  if (has_function || status != LUA_OK) text = clua_to_bytes(L, -1, &length);
  failure->own_text = status == LUA_OK && text != NULL;
  if (text != NULL) {
    set_message(failure, text, length);
  } else {
    int count = snprintf(buffer, sizeof buffer, "(error object is a %s value)", luaL_typename(L, value));
    set_message(failure, buffer, (size_t)count);
  }
  lua_settop(L, value);
}

typedef struct Place {
  lua_State *thread;
  int level;
  CLuaFailure *failure;
} Place;

/// Argument: a Place. [-1, +0]
static int describe_traceback(lua_State *L) {
  const Place *place = lua_touserdata(L, 1);
  luaL_traceback(L, place->thread, NULL, place->level);
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  place->failure->traceback = copy(text, length);
  place->failure->traceback_length = length;
  return 0;
}

/// Describes the error on top of the stack: its text, and where `thread` stands. [-0, +0] Does not raise: what fails,
/// a __tostring that raises for example, takes the text's place or leaves it out.
void clua_describe_failure(lua_State *L, lua_State *thread, int level, CLuaFailure *failure) {
  clua_failure_dispose(failure);
  if (!lua_checkstack(L, 4)) return;
  describe_message(L, failure);
  Place place = {thread, level, failure};
  lua_pushcfunction(L, describe_traceback);
  lua_pushlightuserdata(L, &place);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
}

void clua_failure_dispose(CLuaFailure *failure) {
  free(failure->message);
  free(failure->traceback);
  *failure = (CLuaFailure){0};
}

void clua_push_end(lua_State *L, CLuaOwner *owner, lua_State *thread, int status, int yielded,
                   const char *misplaced_yield, CLuaFailure *failure) {
  if (status == LUA_YIELD) {
    lua_pop(thread, yielded);
    lua_pushstring(L, misplaced_yield);
  } else {
    // The error stays on its thread too, where __close methods are given it.
    if (!lua_checkstack(thread, 1)) luaL_error(L, "stack overflow");
    lua_pushvalue(thread, -1);
    lua_xmove(thread, L, 1);
  }
  clua_describe_failure(L, thread, 0, failure);
  if (lua_status(thread) == LUA_YIELD && status != LUA_YIELD) {
    // It could not even be resumed, and waits as before.
    lua_pop(thread, 1);
    clua_close_chain(L, owner, thread);
  } else if (clua_reset_thread(owner->watch, L, thread) != LUA_OK) {
    lua_xmove(thread, L, 1);
    // A __close that raised in its turn has replaced the error, as in coroutine.close.
    if (!lua_rawequal(L, -1, -2)) clua_describe_failure(L, L, 0, failure);
    lua_remove(L, -2);
  }
}

/// The message handler (§2.3): leaves the error value as it is and describes it beside, in the innermost request. It
/// has no upvalue, so that setting it up allocates nothing. Argument 1 is the error value. [-1, +1]
static int handle_error(lua_State *L) {
  lua_settop(L, 1);
  CLuaRequest *request = NULL;
  CLuaOwner *owner = clua_owner(L);
  if (owner != NULL) request = owner->request;
  if (request == NULL || request->load_status != LUA_OK) return 1;
  if (request->captured) {
    request->captured = false;
    return 1;
  }
  // Level 0 is the function that asks, 1 this handler, 2 what raised.
  clua_describe_failure(L, L, 2, request->failure);
  return 1;
}

// MARK: Programs

int clua_run_request(lua_State *L) {
  CLuaRequest *request = lua_touserdata(L, 1);
  lua_settop(L, 0);
  clua_run_program(L, request->program);
  if (request->consume != NULL) request->consume(request->consumer_context, L);
  return 0;
}

CLuaStatus clua_execute(CLuaOwner *owner, lua_State *L, CLuaBuffer *program, CLuaConsumer consume, void *context,
                        CLuaFailure *failure) {
  *failure = (CLuaFailure){0};
  if (owner->watch != NULL) clua_settle(owner->watch);
  if (program->failed || !lua_checkstack(L, LUA_MINSTACK)) {
    clua_buffer_dispose(program);
    return CLUA_STATUS_MEMORY;
  }
  CLuaRequest request = {
      .outer = owner->request,
      .program = program,
      .consume = consume,
      .consumer_context = context,
      .failure = failure,
  };
  owner->request = &request;
  lua_pushcfunction(L, handle_error);
  int handler = lua_gettop(L);
  lua_pushcfunction(L, clua_run_request);
  lua_pushlightuserdata(L, &request);
  int status = lua_pcall(L, 1, 0, handler);
  owner->request = request.outer;
  lua_remove(L, handler);
  clua_buffer_dispose(program);
  if (status == LUA_OK) return CLUA_STATUS_OK;
  failure->has_value = true;
  return (CLuaStatus)(request.load_status != LUA_OK ? request.load_status : status);
}
