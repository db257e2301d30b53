#include <config.h>

#include "jsonfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE_MAX (16 << 20)
#define NUMBER_MAX 9007199254740992.0

/*
 * Looked at before it is opened: what is no file may do something when it is opened (a device), or wait for somebody (a pipe). A link may lead to either,
 * and none of these files is one.
 */
static int open_regular(const char *path, struct stat *status)
{
	int seen = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), fd = -1, error;
	char again[32];

	if (seen == -1)
		return -1;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", seen);
	errno = EINVAL;
	if (fstat(seen, status) == 0 && S_ISREG(status->st_mode) && status->st_size <= FILE_SIZE_MAX)
		fd = open(again, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	error = errno;
	close(seen);
	errno = error;
	return fd;
}

json_t *jsonfile_read(const char *path)
{
	struct stat status;
	int fd = open_regular(path, &status);
	json_error_t why = {.text = ""};
	json_t *json = NULL;
	char *text = NULL;
	ssize_t got = 0;

	if (fd == -1)
		return NULL;
	text = malloc((size_t)status.st_size + 1);
	if (text != NULL)
		got = read(fd, text, (size_t)status.st_size);
	if (got > 0)
		json = json_loadb(text, (size_t)got, JSON_DECODE_INT_AS_REAL, &why);
	close(fd);
	errno = text == NULL || (json == NULL && got > 0 && json_error_code(&why) == json_error_out_of_memory) ? ENOMEM : EINVAL;
	free(text);
	return json;
}

const char *jsonfile_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL && text[0] != '\0' ? text : NULL;
}

uint64_t jsonfile_number(const json_t *object, const char *key)
{
	double number = json_number_value(json_object_get(object, key));

	return number >= 0 && number <= NUMBER_MAX ? (uint64_t)number : 0;
}
