/// Calls about terminals that Swift does not see, since they belong to X/Open (feature_test_macros(7)).
#ifndef CTERMINAL_H
#define CTERMINAL_H

#include <stdbool.h>
#include <stdint.h>

/// The columns that a character takes on a terminal (wcwidth(3)), whatever the locale; -1 for a control.
int cterminal_columns(uint32_t scalar);
/// Opens a terminal that changes nothing of what is written to it: `ends` are those of its reader and its writers, closed in
/// programs that are started. -1 and errno where none can be had.
int cterminal_open(int ends[2]);
/// Gives a terminal the size of another one.
void cterminal_copy_size(int from, int to);

#endif
