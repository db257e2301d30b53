#include <config.h>

#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "shared/log.h"

static void tell_suppressed(struct hook_output *output, const char *name)
{
	if (output->suppressed > 0)
		log_warnx("hook=%s says more than is logged: lines=%" PRIu64 " left out", name, output->suppressed);
	output->suppressed = 0;
}

static void line_end(struct hook_output *output, const char *name, int64_t now_ms)
{
	char safe[4 * HOOK_OUTPUT_LINE_MAX + 1];
	size_t length = output->used;
	bool cut = output->too_long;

	output->used = 0;
	output->too_long = false;
	if (length > 0 && output->line[length - 1] == '\r')
		length--;
	if (length == 0)
		return;
	if (now_ms >= output->second_ms + 1000) {
		output->second_ms = now_ms;
		output->lines = 0;
		tell_suppressed(output, name);
	}
	if (output->lines >= HOOK_OUTPUT_LINES_PER_S) {
		output->suppressed++;
		return;
	}
	output->lines++;
	log_each(LOG_LEVEL_INFO, "hook=%s says \"%s%s\"", name, log_phrase(safe, sizeof(safe), output->line, length), cut ? "..." : "");
}

static void take(struct hook_output *output, const char *name, const char *bytes, size_t length, int64_t now_ms)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n')
			line_end(output, name, now_ms);
		else if (output->used < sizeof(output->line))
			output->line[output->used++] = bytes[i];
		else
			output->too_long = true;
	}
}

bool hook_output_read(struct hook_output *output, const char *name, int fd, int64_t now_ms)
{
	char bytes[4096];
	size_t total = 0;
	ssize_t got;

	while (total < HOOK_OUTPUT_READ_MAX) {
		got = read(fd, bytes, sizeof(bytes));
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0;
		take(output, name, bytes, (size_t)got, now_ms);
		total += (size_t)got;
	}
	output->pause_ms = now_ms + HOOK_OUTPUT_PAUSE_MS;
	return false;
}

void hook_output_end(struct hook_output *output, const char *name, int64_t now_ms)
{
	line_end(output, name, now_ms);
	tell_suppressed(output, name);
	output->pause_ms = 0;
}
