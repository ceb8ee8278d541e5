/// Settings of SQLite that Swift cannot call, since they take variable arguments.
#ifndef CSQLITE_H
#define CSQLITE_H

struct sqlite3;

/// Has a connection distrust its file (sqlite.org/security.html, "Untrusted SQLite Database Files"): no triggers, no views,
/// no writing to the schema by hand, no functions with side effects in it, every cell checked, and no value above
/// `bytes_max` bytes.
void csqlite_distrust(struct sqlite3 *connection, int bytes_max);

#endif
