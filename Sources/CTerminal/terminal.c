#define _GNU_SOURCE
#include "CTerminal.h"

#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

int cterminal_columns(uint32_t scalar) {
  static locale_t unicode;
  locale_t locale = __atomic_load_n(&unicode, __ATOMIC_ACQUIRE);
  if (locale == NULL) {
    locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    if (locale == NULL) return scalar < 0x20 || (scalar >= 0x7F && scalar < 0xA0) ? -1 : 1;
    locale_t none = NULL;
    if (!__atomic_compare_exchange_n(&unicode, &none, locale, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
      freelocale(locale);
      locale = none;
    }
  }
  locale_t before = uselocale(locale);
  int columns = wcwidth((wchar_t)scalar);
  uselocale(before);
  return columns;
}

int cterminal_open(int ends[2]) {
  ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (ends[0] < 0) return -1;
  char name[64];
  if (grantpt(ends[0]) != 0 || unlockpt(ends[0]) != 0 || ptsname_r(ends[0], name, sizeof name) != 0) goto failed;
  ends[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (ends[1] < 0) goto failed;
  struct termios settings;
  if (tcgetattr(ends[1], &settings) == 0) {
    cfmakeraw(&settings);
    tcsetattr(ends[1], TCSANOW, &settings);
  }
  return 0;
failed:
  close(ends[0]);
  return -1;
}

void cterminal_copy_size(int from, int to) {
  struct winsize size;
  if (ioctl(from, TIOCGWINSZ, &size) == 0) ioctl(to, TIOCSWINSZ, &size);
}
