#include <config.h>

#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048 /* below PIPE_BUF, so that lines of several threads or processes do not mix in a pipe */

static const struct {
	const char *name;
	const char *word; /* in a line on stderr; information goes without one */
	int priority;     /* syslog(3) and sd-daemon(3) count alike */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", "error: ", LOG_ERR},
	[LOG_LEVEL_WARNING] = {"warning", "warning: ", LOG_WARNING},
	[LOG_LEVEL_INFO] = {"info", "", LOG_INFO},
	[LOG_LEVEL_DEBUG] = {"debug", "debug: ", LOG_DEBUG},
};

/* The level changes on a reload while a helper thread may log; the rest is set before there is a second thread. */
static atomic_int current_level = LOG_LEVEL_INFO;
static const struct log_target *current_target = &log_to_stderr;
static const char *current_ident = "callsign";
static bool journal;

static void stderr_open(const char *ident)
{
	(void)ident;
}

static void stderr_send(int priority, const char *line, size_t length)
{
	ssize_t written;

	(void)priority;
	do
		written = write(STDERR_FILENO, line, length);
	while (written == -1 && errno == EINTR);
	/* Any other failure has nobody to be told to. */
}

static void stderr_close(void)
{
}

const struct log_target log_to_stderr = {.open = stderr_open, .send = stderr_send, .close = stderr_close, .prefixed = true};

void log_open(const struct log_target *target, const char *ident, enum log_level level)
{
	current_target->close();
	current_target = target;
	current_ident = ident;
	journal = getenv("JOURNAL_STREAM") != NULL;
	target->open(ident);
	log_set_level(level);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

int log_level_parse(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(text, levels[i].name) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	return -1;
}

struct line {
	char text[LOG_LINE_MAX];
	size_t used; /* without the room for "...\n" and a NUL, which always stays */
};

__attribute__((format(printf, 2, 0))) static void line_append(struct line *line, const char *format, va_list arguments)
{
	size_t room = sizeof(line->text) - sizeof("...\n") - line->used;
	int length = vsnprintf(line->text + line->used, room + 1, format, arguments);

	if (length < 0)
		return;
	if ((size_t)length <= room) {
		line->used += (size_t)length;
		return;
	}
	/* Shown as cut. Nothing behind this is lost but log text: what decides anything is refused whole elsewhere. */
	memcpy(line->text + line->used + room - 3, "...", 3);
	line->used += room;
}

__attribute__((format(printf, 2, 3))) static void line_add(struct line *line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	line_append(line, format, arguments);
	va_end(arguments);
}

/* The last line of defence for a value that should have gone through log_safe(): one message stays one line. */
static void line_flatten(struct line *line, size_t from)
{
	for (size_t i = from; i < line->used; i++)
		if ((unsigned char)line->text[i] < 0x20 || line->text[i] == 0x7f)
			line->text[i] = '?';
}

__attribute__((format(printf, 3, 0))) static void log_message(enum log_level level, bool with_errno, const char *format,
							      va_list arguments)
{
	int saved = errno;
	struct line line;

	if (!log_enabled(level))
		return;
	line.used = 0;
	if (current_target->prefixed) {
		if (journal)
			line_add(&line, "<%d>", levels[level].priority);
		else
			line_add(&line, "%s: %s", current_ident, levels[level].word);
	}
	errno = saved; /* for a %m in the format */
	line_append(&line, format, arguments);
	if (with_errno) {
		errno = saved; /* %m rather than strerror(), which is not thread-safe */
		line_add(&line, ": %m");
	}
	line_flatten(&line, 0);
	line.text[line.used++] = '\n';
	current_target->send(levels[level].priority, line.text, line.used);
	errno = saved;
}

#define LOG_FUNCTION(function, level, with_errno)                                                                      \
	void function(const char *format, ...)                                                                         \
	{                                                                                                              \
		va_list arguments;                                                                                     \
                                                                                                                       \
		va_start(arguments, format);                                                                           \
		log_message(level, with_errno, format, arguments);                                                     \
		va_end(arguments);                                                                                     \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR, true)
LOG_FUNCTION(log_errorx, LOG_LEVEL_ERROR, false)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARNING, true)
LOG_FUNCTION(log_warnx, LOG_LEVEL_WARNING, false)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO, false)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG, false)

/*
 * One byte as it may stand in a line and on a terminal, into out (4 bytes, not terminated); besides letters and the like, those in
 * allowed stay. Returns its length.
 */
static size_t escape_byte(unsigned char byte, const char *allowed, char out[4])
{
	static const char digits[] = "0123456789abcdef";
	bool printable = byte > 0x20 && byte < 0x7f && byte != '"' && byte != '\'' && byte != '\\';

	if (printable || (byte != '\0' && strchr(allowed, byte) != NULL)) {
		out[0] = (char)byte;
		return 1;
	}
	out[0] = '\\';
	out[1] = 'x';
	out[2] = digits[byte >> 4];
	out[3] = digits[byte & 0x0f];
	return 4;
}

static const char *escape(char *out, size_t size, const void *text, size_t length, const char *allowed)
{
	const unsigned char *bytes = text;
	size_t used = 0, cut = 0; /* cut: the last place where "..." would still fit */

	if (size == 0)
		return out;
	for (size_t i = 0; i < length; i++) {
		char escaped[4];
		size_t n = escape_byte(bytes[i], allowed, escaped);

		if (n > size - 1 - used) {
			size_t dots = size - 1 < 3 ? size - 1 : 3;

			memset(out + cut, '.', dots);
			out[cut + dots] = '\0';
			return out;
		}
		memcpy(out + used, escaped, n);
		used += n;
		if (used + 3 <= size - 1)
			cut = used;
	}
	out[used] = '\0';
	return out;
}

const char *log_safe(char *out, size_t size, const void *text, size_t length)
{
	return escape(out, size, text, length, "");
}

const char *log_phrase(char *out, size_t size, const void *text, size_t length)
{
	return escape(out, size, text, length, " '");
}
