#include <config.h>

#include "oncestate.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shared/atomicfile.h"
#include "shared/clock.h"
#include "shared/contract/announcement.h"
#include "shared/log.h"

#define TEXT_MAX 512
#define LOCK_RETRY_MS 20

const char *oncestate_path(const char *name, char out[ONCESTATE_PATH_SIZE])
{
	snprintf(out, ONCESTATE_PATH_SIZE, ONCESTATE_DIRECTORY "/once-%s", name);
	return out;
}

static int lock_path(const char *path, char out[ONCESTATE_PATH_SIZE])
{
	int length = snprintf(out, ONCESTATE_PATH_SIZE, "%s.lock", path);

	if (length > 0 && length < ONCESTATE_PATH_SIZE)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

static void make_directory(const char *path)
{
	char directory[ONCESTATE_PATH_SIZE];
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path || (size_t)(slash - path) >= sizeof(directory))
		return;
	memcpy(directory, path, (size_t)(slash - path));
	directory[slash - path] = '\0';
	(void)mkdir(directory, 0755); /* if it failed, opening the lock says why */
}

/* Whether the file that we locked is still the one at that path: its holder removes it at the end. */
static bool still_there(int lock, const char *path)
{
	struct stat ours, there;

	return fstat(lock, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

int oncestate_lock(const char *path, int64_t deadline_ms)
{
	static const struct timespec pause = {.tv_nsec = LOCK_RETRY_MS * 1000000};
	char lock_name[ONCESTATE_PATH_SIZE];
	int lock;

	if (lock_path(path, lock_name) == -1) {
		log_error("%s", path);
		return -1;
	}
	make_directory(path);
	for (;;) {
		lock = open(lock_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (lock == -1) {
			log_error("%s", lock_name);
			return -1;
		}
		if (flock(lock, LOCK_EX | LOCK_NB) == 0 && still_there(lock, lock_name))
			return lock;
		close(lock);
		if (clock_ms() >= deadline_ms)
			break;
		nanosleep(&pause, NULL);
	}
	log_errorx("%s: another callsign-emit --once is at work on it", path);
	return -1;
}

void oncestate_unlock(const char *path, int lock)
{
	char lock_name[ONCESTATE_PATH_SIZE];

	if (lock_path(path, lock_name) == 0)
		unlink(lock_name);
	close(lock);
}

/* The value of "KEY VALUE\n" at *text; moves on behind it. NULL if it does not stand there. */
static const char *line_value(const char **text, const char *end, const char *key, size_t *length)
{
	size_t key_length = strlen(key);
	const char *value = *text + key_length + 1;
	const char *newline;

	if ((size_t)(end - *text) <= key_length || memcmp(*text, key, key_length) != 0 || (*text)[key_length] != ' ')
		return NULL;
	newline = memchr(value, '\n', (size_t)(end - value));
	if (newline == NULL)
		return NULL;
	*length = (size_t)(newline - value);
	*text = newline + 1;
	return value;
}

static int seq_parse(const char *text, size_t length, uint64_t *seq)
{
	size_t i;

	*seq = 0;
	if (length == 0 || length > 18) /* 10^18 fits */
		return -1;
	for (i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		*seq = *seq * 10 + (uint64_t)(text[i] - '0');
	}
	return *seq > 0 ? 0 : -1;
}

int oncestate_parse(const char *text, size_t length, struct oncestate *state)
{
	const char *end = text + length;
	const char *value;
	size_t size;

	memset(state, 0, sizeof(*state));
	value = line_value(&text, end, "callsign-once", &size);
	if (value == NULL || size != 1 || *value != '1')
		return -1;
	value = line_value(&text, end, "name", &size);
	if (value == NULL || hostname_fold(value, size, state->name) != HOSTNAME_OK)
		return -1;
	value = line_value(&text, end, "instance", &size);
	if (value == NULL || ident_parse(value, size, &state->instance) == -1)
		return -1;
	value = line_value(&text, end, "seq", &size);
	if (value == NULL || seq_parse(value, size, &state->seq) == -1)
		return -1;
	return text == end ? 0 : -1;
}

enum oncestate_result oncestate_load(const char *path, struct oncestate *state)
{
	char text[TEXT_MAX];
	ssize_t length;
	int saved, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd == -1 && errno == ENOENT)
		return ONCESTATE_NONE;
	if (fd == -1) {
		log_error("%s", path);
		return ONCESTATE_ERROR;
	}
	length = read(fd, text, sizeof(text));
	saved = errno;
	close(fd);
	errno = saved;
	if (length == -1) {
		log_error("%s", path);
		return ONCESTATE_ERROR;
	}
	if (oncestate_parse(text, (size_t)length, state) == 0)
		return ONCESTATE_FOUND;
	log_errorx("%s: not a state file of callsign-emit --once; remove it or give another --state", path);
	return ONCESTATE_ERROR;
}

int oncestate_save(const char *path, const struct oncestate *state)
{
	char text[TEXT_MAX], instance[IDENT_TEXT_SIZE];
	int length = snprintf(text, sizeof(text), "callsign-once 1\nname %s\ninstance %s\nseq %" PRIu64 "\n", state->name,
	                      ident_format(&state->instance, instance), state->seq);

	if (atomicfile_replace(path, 0600, text, (size_t)length) == 0)
		return 0;
	log_error("%s", path);
	return -1;
}

int oncestate_remove(const char *path)
{
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	log_error("%s", path);
	return -1;
}
