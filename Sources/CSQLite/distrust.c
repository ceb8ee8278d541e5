#include "CSQLite.h"

#include <sqlite3.h>
#include <stddef.h>

void csqlite_distrust(struct sqlite3 *connection, int bytes_max) {
    sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_exec(connection, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
    sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, bytes_max);
}
