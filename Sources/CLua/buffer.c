#include <stdlib.h>

#include "internal.h"

void clua_buffer_init(CLuaBuffer *buffer, CLuaOwner *owner, void *bytes, size_t capacity) {
  *buffer = (CLuaBuffer){.bytes = bytes, .capacity = capacity, .owner = owner};
}

bool clua_buffer_grow(CLuaBuffer *buffer, size_t size) {
  const CLuaMemory *memory = &buffer->owner->memory;
  size_t needed = buffer->length + size;
  // What cannot become a value of this state need not be buffered for it either.
  if (needed < size || needed > memory->limit_bytes || needed > SIZE_MAX / 2) {
    buffer->failed = true;
    return false;
  }
  size_t capacity = buffer->capacity * 2;
  if (capacity < CLUA_SMALL_BUFFER_BYTES) capacity = CLUA_SMALL_BUFFER_BYTES;
  if (capacity < needed) capacity = needed;
  unsigned char *bytes = realloc(buffer->heap ? buffer->bytes : NULL, capacity);
  if (bytes == NULL) {
    buffer->failed = true;
    return false;
  }
  if (!buffer->heap && buffer->length > 0) memcpy(bytes, buffer->bytes, buffer->length);
  buffer->bytes = bytes;
  buffer->capacity = capacity;
  buffer->heap = true;
  return true;
}

static size_t record_size(const CLuaRecord *record) {
  size_t payload = record->op >= CLUA_OP_BYTES ? record->value.length : 0;
  return sizeof *record + ((payload + 7) & ~(size_t)7);
}

void clua_buffer_dispose(CLuaBuffer *buffer) {
  if (buffer->owns && !buffer->owner->closed) {
    const CLuaHost *host = &buffer->owner->host;
    for (size_t at = 0; at < buffer->length;) {
      const CLuaRecord *record = (const CLuaRecord *)(const void *)(buffer->bytes + at);
      bool executed = at < buffer->position;
      bool pins = record->op == CLUA_OP_REFERENCE;
      bool gives = record->op == CLUA_OP_FUNCTION || record->op == CLUA_OP_OBJECT;
      if (pins || (gives && !executed)) host->release(host->context, record->operand);
      at += record_size(record);
    }
  }
  buffer->owns = false;
  if (buffer->heap) free(buffer->bytes);
  buffer->heap = false;
  buffer->length = buffer->capacity = 0;
}
