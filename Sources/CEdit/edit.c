#define _GNU_SOURCE
#include "CEdit.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

struct CEdit {
  EditLine *line;
  History *history;
  CEditHost host;
  const char *prompt;
  /// Whether what comes was not typed, so that a tab in it is one.
  bool is_pasted;
};

static CEdit *edit_of(EditLine *line) {
  void *edit = NULL;
  el_get(line, EL_CLIENTDATA, &edit);
  return edit;
}

static char *prompt_of(EditLine *line) { return (char *)(uintptr_t)edit_of(line)->prompt; }

/// Reads one character of the locale's encoding; bytes that are none count as themselves.
static int read_character(EditLine *line, wchar_t *character) {
  CEdit *edit = edit_of(line);
  mbstate_t state = {0};
  while (true) {
    unsigned char byte;
    int status = edit->host.read_byte(edit->host.context, &byte);
    if (status != 1) {
      if (status < 0) errno = EINTR;
      return status;
    }
    size_t used = mbrtowc(character, (const char *)&byte, 1, &state);
    if (used == (size_t)-2) continue;
    if (used == (size_t)-1) *character = byte;
    return 1;
  }
}

/// The columns that a text takes on the terminal; what stands between \1s takes none.
static int columns_of(const char *text, size_t length) {
  int columns = 0;
  bool is_literal = false;
  mbstate_t state = {0};
  while (length > 0) {
    wchar_t character;
    size_t used = mbrtowc(&character, text, length, &state);
    if (used == 0 || used > length) {
      used = 1;
      character = L'?';
      memset(&state, 0, sizeof state);
    }
    int width = wcwidth(character);
    if (character == L'\1') {
      is_literal = !is_literal;
    } else if (!is_literal) {
      columns += width > 0 ? width : 0;
    }
    text += used;
    length -= used;
  }
  return columns;
}

void cedit_clear(CEdit *edit) {
  const LineInfo *info = el_line(edit->line);
  int columns = columns_of(edit->prompt, strlen(edit->prompt)) +
                columns_of(info->buffer, (size_t)(info->cursor - info->buffer));
  struct winsize size;
  int width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  if (columns / width > 0) fprintf(stdout, "\033[%dA", columns / width);
  fputs("\r\033[J", stdout);
  fflush(stdout);
}

void cedit_redraw(CEdit *edit) { el_set(edit->line, EL_REFRESH); }

static unsigned char begin_paste(EditLine *line, int key) {
  (void)key;
  edit_of(line)->is_pasted = true;
  return CC_NORM;
}

static unsigned char end_paste(EditLine *line, int key) {
  (void)key;
  edit_of(line)->is_pasted = false;
  return CC_NORM;
}

static unsigned char complete(EditLine *line, int key) {
  (void)key;
  CEdit *edit = edit_of(line);
  if (edit->is_pasted) return el_insertstr(line, "\t") == 0 ? CC_REFRESH : CC_ERROR;
  const LineInfo *info = el_line(line);
  bool has_written = false;
  char *text = edit->host.complete(edit->host.context, info->buffer, (size_t)(info->lastchar - info->buffer),
                                   (size_t)(info->cursor - info->buffer), &has_written);
  bool inserted = text != NULL && text[0] != 0 && el_insertstr(line, text) == 0;
  free(text);
  if (has_written) return CC_REDISPLAY;
  return inserted ? CC_REFRESH : CC_REFRESH_BEEP;
}

CEdit *cedit_open(const char *program, CEditHost host, int history_max) {
  // Without a locale nobody could type more than ASCII.
  setlocale(LC_CTYPE, "");
  if (MB_CUR_MAX == 1) setlocale(LC_CTYPE, "C.UTF-8");
  CEdit *edit = calloc(1, sizeof *edit);
  if (edit == NULL) return NULL;
  edit->host = host;
  edit->prompt = "";
  edit->line = el_init(program, stdin, stdout, stderr);
  edit->history = history_init();
  if (edit->line == NULL || edit->history == NULL) {
    cedit_close(edit);
    return NULL;
  }
  HistEvent event;
  history(edit->history, &event, H_SETSIZE, history_max);
  history(edit->history, &event, H_SETUNIQUE, 1);
  el_set(edit->line, EL_CLIENTDATA, edit);
  el_set(edit->line, EL_SIGNAL, 0);
  el_set(edit->line, EL_PROMPT_ESC, prompt_of, '\1');
  el_set(edit->line, EL_EDITOR, "emacs");
  el_set(edit->line, EL_HIST, history, edit->history);
  el_set(edit->line, EL_GETCFN, read_character);
  el_set(edit->line, EL_ADDFN, "complete-lua", "Complete the word before the cursor", complete);
  el_set(edit->line, EL_BIND, "^I", "complete-lua", NULL);
  // Between these a terminal puts what is pasted, when it has been asked to.
  el_set(edit->line, EL_ADDFN, "begin-paste", "What follows is pasted", begin_paste);
  el_set(edit->line, EL_ADDFN, "end-paste", "What follows is typed", end_paste);
  el_set(edit->line, EL_BIND, "\033[200~", "begin-paste", NULL);
  el_set(edit->line, EL_BIND, "\033[201~", "end-paste", NULL);
  el_set(edit->line, EL_BIND, "^R", "em-inc-search-prev", NULL);
  el_set(edit->line, EL_BIND, "^S", "em-inc-search-next", NULL);
  el_source(edit->line, NULL);
  return edit;
}

void cedit_close(CEdit *edit) {
  if (edit->line != NULL) el_end(edit->line);
  if (edit->history != NULL) history_end(edit->history);
  free(edit);
}

CEditStatus cedit_read(CEdit *edit, const char *prompt, const char **line, size_t *length) {
  const char *terminal = getenv("TERM");
  bool is_asked = terminal != NULL && strcmp(terminal, "dumb") != 0;
  edit->prompt = prompt;
  if (is_asked) fputs("\033[?2004h", stdout);
  int count = 0;
  const char *text = el_gets(edit->line, &count);
  edit->prompt = "";
  if (is_asked) fputs("\033[?2004l", stdout);
  fflush(stdout);
  if (text == NULL) return count < 0 ? CEDIT_GIVEN_UP : CEDIT_END;
  *line = text;
  *length = strlen(text);
  if (*length > 0 && text[*length - 1] == '\n') --*length;
  return CEDIT_LINE;
}

void cedit_remember(CEdit *edit, const char *entry) {
  HistEvent event;
  history(edit->history, &event, H_ENTER, entry);
}
