// What libFuzzer gives to programs that have a main function of their own (its documentation, "Using libFuzzer
// as a library"); the compiler links it in with -sanitize=fuzzer, and no header comes with it.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Fuzzes as the arguments say, calling `run_one` with each input, and returns the exit status.
int LLVMFuzzerRunDriver(int *argument_count, char ***arguments, int (*run_one)(const uint8_t *input, size_t count));
