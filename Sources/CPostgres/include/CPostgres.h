// libpq for Swift, loaded when the first connection is made: a program that never makes one does not pay for the
// libraries that libpq brings along.
//
// A connection is used by one thread at a time. Statements are prepared under names, parameters and results are
// binary, and all that is asked between two synchronizations travels together (libpq's pipeline mode).
#ifndef CPOSTGRES_H
#define CPOSTGRES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pg_conn CPGConnection;
typedef struct pg_result CPGResult;

/// What waiting for a result came to.
typedef enum {
    /// A result.
    CPGWaitResult,
    /// The statement has no more results.
    CPGWaitEnd,
    /// The deadline is over, or the connection is lost.
    CPGWaitTimeout,
    CPGWaitLost,
} CPGWait;

typedef enum {
    CPGResultRows,
    CPGResultSync,
    /// Not executed, since a statement before it failed.
    CPGResultSkipped,
    CPGResultError,
} CPGResultKind;

/// Loads libpq, at most once.
///
/// Returns NULL, or why it cannot be loaded.
const char *cpg_load(void);

/// Whether libpq can read a connection string or URI.
bool cpg_is_location(const char *conninfo);
/// Whether a connection string or URI holds a password, or another value that nobody else may see. False where libpq
/// cannot read it.
bool cpg_has_secret(const char *conninfo);

/// Connects; the caller ends the connection with `cpg_finish`, also one that failed. NULL for no memory.
CPGConnection *cpg_connect(const char *conninfo);
bool cpg_is_connected(const CPGConnection *connection);
/// The message of the last failure, in UTF-8, with a line end.
const char *cpg_message(const CPGConnection *connection);
/// Of a connection that is there: the number of the server's version, such as 150006.
int cpg_server_version(const CPGConnection *connection);
void cpg_finish(CPGConnection *connection);

/// Asks for a statement to be prepared under a name. False where the connection is lost, as with all that follow.
bool cpg_prepare(CPGConnection *connection, const char *name, const char *sql, int count, const uint32_t *types);
/// Asks for a prepared statement to be executed; a NULL value is SQL's NULL.
bool cpg_execute(CPGConnection *connection, const char *name, int count, const char *const *values, const int *lengths);
/// Ends what travels together.
bool cpg_synchronize(CPGConnection *connection);

/// Waits for the next result until a moment of the monotonic clock, in milliseconds.
CPGWait cpg_next(CPGConnection *connection, int64_t deadline, CPGResult **result);
int64_t cpg_now(void);

CPGResultKind cpg_kind(const CPGResult *result);
/// Of an error: the five letters of its SQLSTATE, and its message.
const char *cpg_state(const CPGResult *result);
const char *cpg_error(const CPGResult *result);
int cpg_row_count(const CPGResult *result);
int cpg_column_count(const CPGResult *result);
/// The number of a column's type in `pg_type.dat`.
uint32_t cpg_column_type(const CPGResult *result, int column);
/// Rows that a statement changed.
int64_t cpg_changed_count(CPGResult *result);
bool cpg_is_null(const CPGResult *result, int row, int column);
const uint8_t *cpg_value(const CPGResult *result, int row, int column);
int cpg_length(const CPGResult *result, int row, int column);
void cpg_clear(CPGResult *result);

#endif
