/// System calls that Swift's Glibc does not show.
#ifndef CPROCESS_H
#define CPROCESS_H

/// pipe2(2) with O_CLOEXEC: no program that another thread starts at this moment inherits the ends.
int cprocess_pipe(int ends[2]);

#endif
