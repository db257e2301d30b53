#include <config.h>

#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/contract/ident.h"

bool setup_password(struct setup *setup, const char *path, char out[SETUP_PASSWORD_SIZE])
{
	char *old = setup_read(setup, path), text[SETUP_PASSWORD_SIZE + 1];
	struct ident random;

	if (old == NULL && errno != ENOENT) {
		setup_error(setup, "%s: cannot be read: %s", path, strerror(errno));
		return false;
	}
	if (old != NULL) {
		size_t length = strcspn(old, "\n");

		snprintf(out, SETUP_PASSWORD_SIZE, "%.*s", (int)length, old);
		free(old);
		if (length > 0 && length < SETUP_PASSWORD_SIZE)
			return true;
		setup_error(setup, "%s: a password of 1 to %d bytes is expected; remove the file to have one made", path, SETUP_PASSWORD_SIZE - 1);
		return false;
	}
	if (setup->remote.print_only || setup->host_password_file == path) {
		setup_error(setup, "%s: there is no such file%s", path, setup->remote.print_only ? ": run callsign-setup without "
		            "--print-broker-commands first, which makes it" : "");
		return false;
	}
	if (ident_random(&random) == -1) {
		setup_error(setup, "no random numbers: %s", strerror(errno));
		return false;
	}
	ident_format(&random, out);
	snprintf(text, sizeof text, "%s\n", out);
	setup_write(setup, path, text, 0640, SETUP_SECRET);
	explicit_bzero(text, sizeof text);
	return !setup->failed;
}
