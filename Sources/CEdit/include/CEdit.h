/// What Swift sees of libedit, whose own functions take variable arguments (editline(3)).
#ifndef CEDIT_H
#define CEDIT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct CEdit CEdit;

/// What the program does for an editor, on the thread that reads lines.
typedef struct CEditHost {
  void *context;
  /// Waits for the next byte of input: 1, or 0 at the end, or -1 where the line is to be given up.
  int (*read_byte)(void *context, unsigned char *byte);
  /// The text to insert at `cursor` of the line, on the heap, or NULL. What it writes to the terminal itself goes behind
  /// the line, and the line is then drawn again.
  char *(*complete)(void *context, const char *line, size_t length, size_t cursor, bool *has_written);
} CEditHost;

typedef enum CEditStatus { CEDIT_LINE, CEDIT_END, CEDIT_GIVEN_UP } CEditStatus;

/// An editor on the standard streams, which are a terminal. NULL when memory is out.
///
/// Keys are those of ~/.editrc, or of emacs with a search through the history at Ctrl-R and Ctrl-S.
CEdit *cedit_open(const char *program, CEditHost host, int history_max);
void cedit_close(CEdit *edit);

/// Reads a line without its end; it is valid until the next call. The prompt may hold escape sequences between \1s.
CEditStatus cedit_read(CEdit *edit, const char *prompt, const char **line, size_t *length);
/// Takes the line that is being read off the terminal, so that other text can be written in its place.
void cedit_clear(CEdit *edit);
/// Draws the line again, on the row where the cursor is.
void cedit_redraw(CEdit *edit);
/// Adds an entry, which may have several lines, to the history in memory.
void cedit_remember(CEdit *edit, const char *entry);

#endif
