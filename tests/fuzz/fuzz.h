#ifndef CALLSIGN_TESTS_FUZZ_H
#define CALLSIGN_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the fuzz targets share. A target is a file with one LLVMFuzzerTestOneInput() (libFuzzer calls it with bytes of its own making) that
 * feeds a parser and then checks what must hold of the result. Memory errors are the sanitizers' to find.
 *
 * What the code under test logs is formatted and checked, not printed: whatever came in, it asks for one line of printable characters. (The log
 * itself would replace a control character, but not the forged key=value that a blank or a quote makes.)
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Input that its owner is told of in his own words: a configuration. */
extern bool fuzz_trusts_input;

/* Ends the run as a crash, and libFuzzer keeps the input. */
#define fuzz_check(condition)                                                                                                              \
	do {                                                                                                                               \
		if (!(condition))                                                                                                          \
			fuzz_fail(__FILE__, __LINE__, #condition);                                                                         \
	} while (0)

_Noreturn void fuzz_fail(const char *file, int line, const char *what);

/* One line of printable ASCII. */
bool fuzz_is_line(const char *text);

/* A terminated copy with not a byte to spare, to be freed; NULL if there is a NUL inside. */
char *fuzz_text(const uint8_t *data, size_t size);

/* The bytes as a file: a path to read it by, valid until the next call. */
const char *fuzz_file(const uint8_t *data, size_t size);

/* Input that is several things: each reader takes from the front, and what is not there is empty or 0. */
struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

uint8_t fuzz_byte(struct fuzz_input *input);

/* A length (one byte, or two with the high one first), then that many bytes or what is left of them: the bytes. */
struct fuzz_input fuzz_short(struct fuzz_input *input);
struct fuzz_input fuzz_long(struct fuzz_input *input);

#endif
