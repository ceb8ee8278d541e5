#define _GNU_SOURCE
#include "CPostgres.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <postgresql/libpq-fe.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Every function of libpq that is used.
#define FUNCTIONS(F)                                                                                                   \
    F(PQconnectdbParams)                                                                                               \
    F(PQconninfoParse)                                                                                                 \
    F(PQconninfoFree)                                                                                                  \
    F(PQstatus)                                                                                                        \
    F(PQerrorMessage)                                                                                                  \
    F(PQserverVersion)                                                                                                 \
    F(PQfinish)                                                                                                        \
    F(PQsetnonblocking)                                                                                                \
    F(PQenterPipelineMode)                                                                                             \
    F(PQsetNoticeReceiver)                                                                                             \
    F(PQsendPrepare)                                                                                                   \
    F(PQsendQueryPrepared)                                                                                             \
    F(PQpipelineSync)                                                                                                  \
    F(PQflush)                                                                                                         \
    F(PQconsumeInput)                                                                                                  \
    F(PQisBusy)                                                                                                        \
    F(PQgetResult)                                                                                                     \
    F(PQsocket)                                                                                                        \
    F(PQresultStatus)                                                                                                  \
    F(PQresultErrorField)                                                                                              \
    F(PQresultErrorMessage)                                                                                            \
    F(PQntuples)                                                                                                       \
    F(PQnfields)                                                                                                       \
    F(PQftype)                                                                                                         \
    F(PQcmdTuples)                                                                                                     \
    F(PQgetisnull)                                                                                                     \
    F(PQgetvalue)                                                                                                      \
    F(PQgetlength)                                                                                                     \
    F(PQclear)

static struct {
#define DECLARE(name) __typeof__(&name) name;
    FUNCTIONS(DECLARE)
} pq;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *problem;

static void load(void) {
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        // Its text is the thread's, and this one ends.
        problem = strdup(dlerror());
        return;
    }
#define FIND(name)                                                                                                     \
    if ((*(void **)&pq.name = dlsym(library, #name)) == NULL) problem = "libpq is older than version 14";
    FUNCTIONS(FIND)
}

const char *cpg_load(void) {
    pthread_once(&once, load);
    return problem;
}

static void ignore(void *argument, const PGresult *notice) {
    (void)argument;
    (void)notice;
}

bool cpg_is_location(const char *conninfo) {
    PQconninfoOption *options = pq.PQconninfoParse(conninfo, NULL);
    if (options == NULL) return false;
    pq.PQconninfoFree(options);
    return true;
}

// Values that nobody else may see, besides those that libpq hides when they are typed.
static bool is_secret(const PQconninfoOption *option) {
    static const char *const others[] = {"oauth_client_secret", "scram_client_key", "scram_server_key"};
    if (option->dispchar != NULL && option->dispchar[0] == '*') return true;
    for (size_t index = 0; index < sizeof(others) / sizeof(others[0]); index++) {
        if (strcmp(option->keyword, others[index]) == 0) return true;
    }
    return false;
}

bool cpg_has_secret(const char *conninfo) {
    PQconninfoOption *options = pq.PQconninfoParse(conninfo, NULL);
    if (options == NULL) return false;
    bool found = false;
    for (PQconninfoOption *option = options; !found && option->keyword != NULL; option++) {
        if (option->val == NULL || option->val[0] == '\0') continue;
        // A location within the location is of no use, and may hold a password all the same.
        found = is_secret(option) || (strcmp(option->keyword, "dbname") == 0 && cpg_has_secret(option->val));
    }
    pq.PQconninfoFree(options);
    return found;
}

CPGConnection *cpg_connect(const char *conninfo) {
    // What the location says comes last, and counts.
    const char *const names[] = {"connect_timeout",     "keepalives_idle", "keepalives_interval", "keepalives_count",
                                 "tcp_user_timeout",    "application_name", "dbname",             NULL};
    const char *const values[] = {"5", "30", "10", "3", "60000", "minivault", conninfo, NULL};
    PGconn *connection = pq.PQconnectdbParams(names, values, 1);
    if (connection == NULL || pq.PQstatus(connection) != CONNECTION_OK) return connection;
    pq.PQsetNoticeReceiver(connection, ignore, NULL);
    pq.PQsetnonblocking(connection, 1);
    pq.PQenterPipelineMode(connection);
    return connection;
}

bool cpg_is_connected(const CPGConnection *connection) { return pq.PQstatus(connection) == CONNECTION_OK; }

const char *cpg_message(const CPGConnection *connection) { return pq.PQerrorMessage(connection); }

int cpg_server_version(const CPGConnection *connection) { return pq.PQserverVersion(connection); }

void cpg_finish(CPGConnection *connection) { pq.PQfinish(connection); }

bool cpg_prepare(CPGConnection *connection, const char *name, const char *sql, int count, const uint32_t *types) {
    return pq.PQsendPrepare(connection, name, sql, count, types) == 1;
}

bool cpg_execute(
    CPGConnection *connection, const char *name, int count, const char *const *values, const int *lengths) {
    int *formats = malloc(sizeof(int) * (size_t)(count > 0 ? count : 1));
    if (formats == NULL) return false;
    for (int index = 0; index < count; index++) formats[index] = 1;
    int sent = pq.PQsendQueryPrepared(connection, name, count, values, lengths, formats, 1);
    free(formats);
    return sent == 1;
}

bool cpg_synchronize(CPGConnection *connection) { return pq.PQpipelineSync(connection) == 1; }

int64_t cpg_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

CPGWait cpg_next(CPGConnection *connection, int64_t deadline, CPGResult **result) {
    for (;;) {
        int unsent = pq.PQflush(connection);
        if (unsent < 0) return CPGWaitLost;
        if (unsent == 0 && !pq.PQisBusy(connection)) {
            *result = pq.PQgetResult(connection);
            if (*result != NULL) return CPGWaitResult;
            return pq.PQstatus(connection) == CONNECTION_OK ? CPGWaitEnd : CPGWaitLost;
        }
        int64_t left = deadline - cpg_now();
        if (left <= 0) return CPGWaitTimeout;
        struct pollfd waiting = {pq.PQsocket(connection), (short)(POLLIN | (unsent > 0 ? POLLOUT : 0)), 0};
        int count = poll(&waiting, 1, left > 60000 ? 60000 : (int)left);
        if (count < 0 && errno != EINTR) return CPGWaitLost;
        if (count > 0 && (waiting.revents & ~POLLOUT) != 0 && pq.PQconsumeInput(connection) == 0) return CPGWaitLost;
    }
}

CPGResultKind cpg_kind(const CPGResult *result) {
    switch (pq.PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        return CPGResultRows;
    case PGRES_PIPELINE_SYNC:
        return CPGResultSync;
    case PGRES_PIPELINE_ABORTED:
        return CPGResultSkipped;
    default:
        return CPGResultError;
    }
}

const char *cpg_state(const CPGResult *result) { return pq.PQresultErrorField(result, PG_DIAG_SQLSTATE); }

const char *cpg_error(const CPGResult *result) { return pq.PQresultErrorMessage(result); }

int cpg_row_count(const CPGResult *result) { return pq.PQntuples(result); }

int cpg_column_count(const CPGResult *result) { return pq.PQnfields(result); }

uint32_t cpg_column_type(const CPGResult *result, int column) { return pq.PQftype(result, column); }

int64_t cpg_changed_count(CPGResult *result) { return strtoll(pq.PQcmdTuples(result), NULL, 10); }

bool cpg_is_null(const CPGResult *result, int row, int column) { return pq.PQgetisnull(result, row, column) != 0; }

const uint8_t *cpg_value(const CPGResult *result, int row, int column) {
    return (const uint8_t *)pq.PQgetvalue(result, row, column);
}

int cpg_length(const CPGResult *result, int row, int column) { return pq.PQgetlength(result, row, column); }

void cpg_clear(CPGResult *result) { pq.PQclear(result); }
