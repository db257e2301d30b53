#include <config.h>

#include "jsonfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE_MAX (16 << 20)
#define NUMBER_MAX 9007199254740992.0

json_t *jsonfile_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	json_t *json = NULL;
	char *text = NULL;
	ssize_t got = 0;

	if (fd == -1)
		return NULL;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= FILE_SIZE_MAX && (text = malloc((size_t)status.st_size + 1)) != NULL)
		got = read(fd, text, (size_t)status.st_size);
	if (got > 0)
		json = json_loadb(text, (size_t)got, JSON_DECODE_INT_AS_REAL, NULL);
	free(text);
	close(fd);
	errno = EINVAL;
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
