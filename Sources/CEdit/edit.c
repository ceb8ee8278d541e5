#define _GNU_SOURCE
#include "CEdit.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

struct CEdit {
  EditLine *line;
  History *history;
  CEditHost host;
  const char *prompt;
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

static unsigned char complete(EditLine *line, int key) {
  (void)key;
  CEdit *edit = edit_of(line);
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
  edit->prompt = prompt;
  int count = 0;
  const char *text = el_gets(edit->line, &count);
  edit->prompt = "";
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
