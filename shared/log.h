#ifndef CALLSIGN_LOG_H
#define CALLSIGN_LOG_H

/*
 * The room shared/: what both sides stand on, and nothing about names, brokers or files of ours. It uses libc, jansson and libconfuse's scanner, and must not
 * know who uses it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One line an event: a few words, then key=value pairs. Nothing that came from the network is ever a format string, and
 * every value that did goes through log_safe() (or is a name, address or number that was validated).
 */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/*
 * Where lines go. Two objects rather than an enum, so that a program that never mentions syslog is not linked with it (30 kB of a static
 * emitter).
 */
struct log_target {
	void (*open)(const char *ident); /* may be NULL */
	/*
	 * A syslog(3) priority; line ends in a newline and is not terminated. Never waits for whoever reads it. false: it did not fit; the line is counted, and
	 * how many are missing is said in a line of its own once something fits again.
	 */
	bool (*send)(int priority, const char *line, size_t length);
	const char *full; /* in that line, of why they are missing */
	bool prefixed;    /* each line begins with the ident and the level, or with <N> where JOURNAL_STREAM is set (sd-daemon(3)) */
};

extern const struct log_target log_to_stderr;

/* ident must outlive the logging (a string literal). Until log_open() is called, messages go to stderr at level info. */
void log_open(const struct log_target *target, const char *ident, enum log_level level);
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* "error", "warning", "info" or "debug": 0 and *level, or -1. */
int log_level_parse(const char *text, enum log_level *level);

/*
 * The same line again and again tells nothing new: of one line at most LOG_REPEATS_FREE are written in LOG_REPEATS_MS, the others are counted and
 * their number is written when that time is over (by the next line of any kind, or by log_tick()). Lines of level debug are all written.
 */
#define LOG_REPEATS_FREE 5
#define LOG_REPEATS_MS 10000

/* When there are numbers to be written (CLOCK_NEVER: none), and to write those that are due. */
int64_t log_deadline_ms(void);
void log_tick(int64_t now_ms);

/* errno is preserved by all of them. log_error and log_warn append ": strerror(errno)"; those that end in x do not. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_errorx(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same without counting repetitions: for events of which each one matters, by callers that bound their rate themselves. */
void log_each(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define LOG_SAFE_MAX 128

/*
 * length bytes of untrusted text as something fit for one log line: bytes outside printable ASCII, blanks, quotes and
 * backslashes become \xHH; what would not fit into size ends in "...". Returns out, always terminated.
 */
const char *log_safe(char *out, size_t size, const void *text, size_t length);

/* The same for a sentence (a broker's or a library's words): blanks and single quotes stay. */
const char *log_phrase(char *out, size_t size, const void *text, size_t length);

#endif
