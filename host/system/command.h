#ifndef CALLSIGN_COMMAND_H
#define CALLSIGN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Run another program, found through PATH, and wait for its end. No shell: arguments are passed as they are.
 *
 * input (length bytes; NULL: none) is what it reads. *output, unless output is NULL, is what it wrote to standard output (terminated, to be freed);
 * its standard error goes to *errors if errors is not NULL, else where ours goes. Returns its exit status, 128 + signal if one ended it, or -1 with
 * errno: ENOENT, there is no such program; ETIMEDOUT, it took over timeout_s and was ended with all that it had started (command_end.h).
 */
int command_run(const char *const argv[], const void *input, size_t length, char **output, char **errors, unsigned timeout_s);

#endif
