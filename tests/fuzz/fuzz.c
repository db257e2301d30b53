#include <config.h>

#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool fuzz_trusts_input = false;

void fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

bool fuzz_is_line(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text;

	if (size > 0 && memchr(data, '\0', size) != NULL)
		return NULL;
	text = malloc(size + 1);
	fuzz_check(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

const char *fuzz_file(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[32];

	if (fd == -1) {
		fd = memfd_create("fuzz", 0);
		fuzz_check(fd != -1 && fchmod(fd, 0600) == 0);
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	}
	fuzz_check(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	return path;
}

static struct fuzz_input take(struct fuzz_input *input, size_t length)
{
	struct fuzz_input part = {input->data, length < input->size ? length : input->size};

	input->data += part.size;
	input->size -= part.size;
	return part;
}

uint8_t fuzz_byte(struct fuzz_input *input)
{
	struct fuzz_input part = take(input, 1);

	return part.size == 1 ? part.data[0] : 0;
}

struct fuzz_input fuzz_short(struct fuzz_input *input)
{
	return take(input, fuzz_byte(input));
}

struct fuzz_input fuzz_long(struct fuzz_input *input)
{
	size_t high = fuzz_byte(input);

	return take(input, high << 8 | fuzz_byte(input));
}

/* ---- in place of shared/log.c's (the linker's --wrap): nothing that came from outside may end or forge a line ---- */

static void check_log(const char *format, va_list arguments)
{
	char line[8192];

	vsnprintf(line, sizeof line, format, arguments);
	fuzz_check(fuzz_trusts_input || fuzz_is_line(line));
}

#define WRAP(name)                                                                                                                         \
	void __wrap_##name(const char *format, ...) __attribute__((format(printf, 1, 2)));                                                 \
	void __wrap_##name(const char *format, ...)                                                                                        \
	{                                                                                                                                  \
		va_list arguments;                                                                                                         \
		va_start(arguments, format);                                                                                               \
		check_log(format, arguments);                                                                                              \
		va_end(arguments);                                                                                                         \
	}

WRAP(log_error)
WRAP(log_errorx)
WRAP(log_warn)
WRAP(log_warnx)
WRAP(log_info)
WRAP(log_debug)
