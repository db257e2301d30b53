#include <config.h>

#include "credential.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Files of a folder are handed over as ID_NAME, those in folders below it as ID_FOLDER_NAME. */
static int name_copy(const char *folder, const char *rest, char out[CREDENTIAL_PATH_SIZE])
{
	int length = snprintf(out, CREDENTIAL_PATH_SIZE, "%s/" CREDENTIAL_ID "_", folder);
	char *at;

	if (length < 0 || (size_t)length + strlen(rest) >= CREDENTIAL_PATH_SIZE)
		return -1;
	for (at = out + length; *rest != '\0'; rest++)
		*at++ = *rest;
	*at = '\0';
	for (at = out + length; *at != '\0'; at++)
		if (*at == '/')
			*at = '_';
	return 0;
}

const char *credential_path(const char *path, char out[CREDENTIAL_PATH_SIZE])
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");

	if (folder == NULL || strncmp(path, CREDENTIAL_FOLDER, strlen(CREDENTIAL_FOLDER)) != 0)
		return path;
	if (access(path, R_OK) == 0 || errno != EACCES)
		return path;
	if (name_copy(folder, path + strlen(CREDENTIAL_FOLDER), out) == -1 || access(out, R_OK) == -1)
		return path;
	return out;
}
