#include <config.h>

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "clock.h"

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

/*
 * A log that nobody reads must not stop us: when the pipe of a container's log is full (its engine is stopped, or its disk stands still), a write would wait for
 * ever, and the name would go with our heartbeats. O_NONBLOCK on standard error itself would be COMMAND's, too, and that of whoever else has it; so pipes and
 * terminals are opened anew for each line, and sockets are asked not to wait. Where that cannot be (no /proc; a user who may not open it), the descriptor is
 * asked first whether it takes a line. -1 with errno; EAGAIN: it is full.
 */
static ssize_t write_opened(const char *line, size_t length)
{
	int saved, fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct pollfd poll_fd = {.fd = STDERR_FILENO, .events = POLLOUT};
	ssize_t written;

	if (fd == -1 && errno == ENXIO) /* a FIFO that nobody has open for reading */
		return -1;
	if (fd == -1) {
		if (poll(&poll_fd, 1, 0) != 1) {
			errno = EAGAIN;
			return -1;
		}
		return write(STDERR_FILENO, line, length);
	}
	written = write(fd, line, length);
	saved = errno;
	close(fd);
	errno = saved;
	return written;
}

static ssize_t write_without_waiting(const char *line, size_t length)
{
	struct stat status;

	if (fstat(STDERR_FILENO, &status) == -1)
		return -1;
	if (S_ISSOCK(status.st_mode))
		return send(STDERR_FILENO, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))
		return write_opened(line, length);
	return write(STDERR_FILENO, line, length);
}

/* Whether it is written, or will never be: a failure other than a full pipe has nobody to be told to. */
static bool stderr_send(int priority, const char *line, size_t length)
{
	ssize_t written;

	(void)priority;
	do
		written = write_without_waiting(line, length);
	while (written == -1 && errno == EINTR);
	return written != -1 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS);
}

const struct log_target log_to_stderr = {.send = stderr_send, .full = "standard error was full", .prefixed = true};

void log_open(const struct log_target *target, const char *ident, enum log_level level)
{
	current_target = target;
	current_ident = ident;
	journal = getenv("JOURNAL_STREAM") != NULL;
	if (target->open != NULL)
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

static void line_prefix(struct line *line, enum log_level level, const char *word)
{
	line->used = 0;
	if (!current_target->prefixed)
		return;
	if (journal)
		line_add(line, "<%d>", levels[level].priority);
	else
		line_add(line, "%s: %s", current_ident, word);
}

static void line_begin(struct line *line, enum log_level level)
{
	line_prefix(line, level, levels[level].word);
}

static bool line_write(struct line *line, enum log_level level)
{
	line->text[line->used++] = '\n';
	return current_target->send(levels[level].priority, line->text, line->used);
}

/* Lines that were left out because nobody read. Any thread may log. */
static atomic_ulong lines_dropped;

/* Before the next line, once there is room again: how many are missing. */
static bool tell_dropped(enum log_level level)
{
	unsigned long dropped = atomic_exchange_explicit(&lines_dropped, 0, memory_order_relaxed);
	struct line line;

	if (dropped == 0)
		return true;
	line_prefix(&line, level, "");
	line_add(&line, "dropped count=%lu lines: %s", dropped, current_target->full);
	if (line_write(&line, level))
		return true;
	atomic_fetch_add_explicit(&lines_dropped, dropped, memory_order_relaxed);
	return false;
}

static void line_send(struct line *line, enum log_level level)
{
	if (!tell_dropped(level) || !line_write(line, level))
		atomic_fetch_add_explicit(&lines_dropped, 1, memory_order_relaxed);
}

/* ---- repetitions ---- */

#define REPEATS_KEPT 8
#define REPEATS_TEXT 256

static struct repeat {
	uint64_t hash; /* of the whole line */
	enum log_level level;
	int64_t since_ms; /* the first one, from which the time counts */
	uint64_t order;   /* of the first one among all lines */
	uint64_t count;   /* since then; 0: this place is free */
	char text[REPEATS_TEXT]; /* its beginning */
} repeats[REPEATS_KEPT];
static uint64_t repeats_order;

/* Only ever tried: between fork and exec another thread's lock never opens. A line is then written without being counted. */
static pthread_mutex_t repeats_lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t repeat_hash(const struct line *line)
{
	uint64_t hash = 14695981039346656037U; /* FNV-1a */

	for (size_t i = 0; i < line->used; i++)
		hash = (hash ^ (unsigned char)line->text[i]) * 1099511628211U;
	return hash;
}

static void repeat_end(struct repeat *repeat)
{
	struct line line;
	uint64_t left_out = repeat->count > LOG_REPEATS_FREE ? repeat->count - LOG_REPEATS_FREE : 0;

	repeat->count = 0;
	if (left_out == 0)
		return;
	line_begin(&line, repeat->level);
	line_add(&line, "repeated count=%" PRIu64 " line: %s", left_out, repeat->text);
	line_send(&line, repeat->level);
}

static void repeats_end(int64_t now_ms)
{
	for (size_t i = 0; i < REPEATS_KEPT; i++)
		if (repeats[i].count > 0 && now_ms >= repeats[i].since_ms + LOG_REPEATS_MS)
			repeat_end(&repeats[i]);
}

/* The place for this line: its own, a free one, or else that of the line which came least often, the oldest of those. */
static struct repeat *repeat_find(uint64_t hash)
{
	struct repeat *found = &repeats[0];

	for (size_t i = 0; i < REPEATS_KEPT; i++) {
		if (repeats[i].count > 0 && repeats[i].hash == hash)
			return &repeats[i];
		if (repeats[i].count < found->count || (repeats[i].count == found->count && repeats[i].order < found->order))
			found = &repeats[i];
	}
	repeat_end(found);
	return found;
}

/* Whether this line is to be written. start: where its text begins, behind what stands before every line. */
static bool repeat_allows(const struct line *line, size_t start, enum log_level level)
{
	uint64_t hash = repeat_hash(line);
	struct repeat *repeat;
	int64_t now_ms;
	bool allowed;

	if (level == LOG_LEVEL_DEBUG || pthread_mutex_trylock(&repeats_lock) != 0)
		return true;
	now_ms = clock_ms();
	repeats_end(now_ms);
	repeat = repeat_find(hash);
	if (repeat->count++ == 0) {
		repeat->hash = hash;
		repeat->level = level;
		repeat->since_ms = now_ms;
		repeat->order = ++repeats_order;
		snprintf(repeat->text, sizeof(repeat->text), "%.*s", (int)(line->used - start), line->text + start);
	}
	allowed = repeat->count <= LOG_REPEATS_FREE;
	pthread_mutex_unlock(&repeats_lock);
	return allowed;
}

int64_t log_deadline_ms(void)
{
	int64_t due_ms = CLOCK_NEVER;

	if (pthread_mutex_trylock(&repeats_lock) != 0)
		return CLOCK_NEVER;
	for (size_t i = 0; i < REPEATS_KEPT; i++)
		if (repeats[i].count > LOG_REPEATS_FREE && repeats[i].since_ms + LOG_REPEATS_MS < due_ms)
			due_ms = repeats[i].since_ms + LOG_REPEATS_MS;
	pthread_mutex_unlock(&repeats_lock);
	return due_ms;
}

void log_tick(int64_t now_ms)
{
	int saved = errno;

	if (pthread_mutex_trylock(&repeats_lock) != 0)
		return;
	repeats_end(now_ms);
	pthread_mutex_unlock(&repeats_lock);
	errno = saved;
}

/* ---- messages ---- */

__attribute__((format(printf, 4, 0))) static void log_message(enum log_level level, bool with_errno, bool each, const char *format,
							      va_list arguments)
{
	int saved = errno;
	struct line line;
	size_t start;

	if (!log_enabled(level))
		return;
	line_begin(&line, level);
	start = line.used;
	errno = saved; /* for a %m in the format */
	line_append(&line, format, arguments);
	if (with_errno) {
		errno = saved; /* %m rather than strerror(), which is not thread-safe */
		line_add(&line, ": %m");
	}
	line_flatten(&line, 0);
	if (each || repeat_allows(&line, start, level))
		line_send(&line, level);
	errno = saved;
}

#define LOG_FUNCTION(function, level, with_errno)                                                                      \
	void function(const char *format, ...)                                                                         \
	{                                                                                                              \
		va_list arguments;                                                                                     \
                                                                                                                       \
		va_start(arguments, format);                                                                           \
		log_message(level, with_errno, false, format, arguments);                                              \
		va_end(arguments);                                                                                     \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR, true)
LOG_FUNCTION(log_errorx, LOG_LEVEL_ERROR, false)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARNING, true)
LOG_FUNCTION(log_warnx, LOG_LEVEL_WARNING, false)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO, false)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG, false)

void log_each(enum log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_message(level, false, true, format, arguments);
	va_end(arguments);
}

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
