#include <config.h>

#include "setup.h"

#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "doctor/asking.h"
#include "shared/address.h"

/*
 * Once Docker is told of dnsmasq, every container asks dnsmasq for every name. One that has nobody to ask itself, as Debian's where
 * /sbin/resolvconf is systemd-resolved's, would cut all of them off from the world: so it is asked for a name of the world before.
 */
#define WORLD "example.com" /* RFC 2606; whatever is said of it, somebody was asked */
#define ASK_MS 3000
#define TRIES 3
#define DNS_PORT 53

static bool host_finds_it(void)
{
	const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM};
	struct addrinfo *found = NULL;
	int error;

	setenv("RES_OPTIONS", "timeout:2 attempts:1", 1);
	error = getaddrinfo(WORLD, NULL, &hints, &found);
	if (error == 0)
		freeaddrinfo(found);
	return error == 0 || error == EAI_NONAME;
}

/* It may have been restarted this very moment. */
static enum asking_result ask(const struct address *server)
{
	struct asking asking = {.result = ASKING_NOTHING};

	for (int i = 0; i < TRIES; i++) {
		asking_ask(&asking, server, DNS_PORT, false, WORLD, ASK_MS);
		if (asking.result == ASKING_ANSWERED)
			break;
		poll(NULL, 0, 300);
	}
	return asking.result;
}

/* false: it was said why not. Nothing of Docker's was changed yet. */
static bool refuse(struct setup *setup, enum asking_result result)
{
	setup_resolver_back(setup);
	setup_error(setup, "dnsmasq (%s) %s for a name of the world (" WORLD "), and this host finds it: containers would find none. Docker is left as it "
	            "was; tell dnsmasq whom to ask (server=ADDRESS, or resolv-file= with a file that holds this host's name servers), and run this again",
	            setup->docker, result == ASKING_REFUSED ? "has nobody to ask" : "gives no answer");
	return false;
}

bool setup_world(struct setup *setup)
{
	struct address server;
	enum asking_result result;

	if (setup->dry_run || setup->no_services || setup->root[0] != '\0' || address_parse(setup->docker, strlen(setup->docker), &server) == -1)
		return true;
	result = ask(&server);
	if (result == ASKING_ANSWERED)
		return true;
	if (result == ASKING_CLOSED) {
		setup_say("dnsmasq does not listen on %s yet, as long as Docker has not made docker0: whether it answers for the world was not tried",
		          setup->docker);
		return true;
	}
	if (host_finds_it())
		return refuse(setup, result);
	setup_say("neither dnsmasq nor this host itself finds a name of the world (" WORLD ") now: containers will not either");
	return true;
}
