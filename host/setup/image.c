#include <config.h>

#include "setup.h"

#include <stdio.h>

void setup_image(const struct setup *setup)
{
	char url[512];

	snprintf(url, sizeof url, "amqp://" SETUP_EMIT_USER "@gateway/%s", setup->vhost);
	if (setup->remote.on)
		setup_remote_url(setup, SETUP_EMIT_USER, url, sizeof url);
	printf("# In the Dockerfile (make emitter-image makes callsign-emit:" PACKAGE_VERSION "; or, with /usr/bin/callsign-emit of the package\n"
	       "# beside it: COPY callsign-emit /usr/bin/callsign-emit):\n"
	       "COPY --from=callsign-emit:" PACKAGE_VERSION " /callsign-emit /usr/bin/callsign-emit\n"
	       "ENTRYPOINT [\"callsign-emit\", \"--\"]\n"
	       "\n"
	       "# To run it:\n"
	       "docker run --detach --hostname my-cool-host \\\n"
	       "    --env CALLSIGN_URLS=%s \\\n"
	       "    --env CALLSIGN_PASSWORD_FILE=/run/secrets/callsign \\\n"
	       "    --mount type=bind,source=" SETUP_EMIT_PASSWORD ",target=/run/secrets/callsign,readonly \\\n"
	       "    IMAGE\n"
	       "\n"
	       "# Then:\n"
	       "ping my-cool-host.%s\n",
	       url, setup->domain);
}
