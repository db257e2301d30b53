#include <config.h>

#include "setup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/contract/hostname.h"
#include "shared/log.h"
#include "system/ifaddr.h"

enum { DONE = 0, FAILED = 1, USAGE = 2 };

#define DEFAULT_DOCKER "172.17.0.1" /* what Docker gives docker0 unless told otherwise */
#define DEFAULT_CONNECTIONS 1000

static const char usage[] =
	"usage: callsign-setup [OPTIONS]                 make this host work\n"
	"       callsign-setup [OPTIONS] --undo          take all of it back\n"
	"       callsign-setup [OPTIONS] tenant NAME PREFIX\n"
	"                                                a broker user for names that begin with PREFIX\n"
	"       callsign-setup [OPTIONS] image           lines for a Dockerfile, and how to run the image\n"
	"\n"
	"  -n, --dry-run            show every change, and make none\n"
	"  -u, --undo               put back what was there before\n"
	"  -d, --domain DOMAIN      names are found below it (docker); may be given again for further ones\n"
	"  -a, --docker-address IP  where dnsmasq answers containers (docker0's address)\n"
	"  -H, --host NAME          this host's name on the broker (its hostname)\n"
	"  -v, --vhost VHOST        on the broker (callsign)\n"
	"  -l, --connections N      limit for each user that containers log in as (1000)\n"
	"  -A, --agent              also callsign-agent: names for containers that carry nothing, by Docker's runtime callsign and Podman's hooks\n"
	"  -b, --broker URL         it is on another machine: amqp://[USER@]HOST[:PORT]/VHOST; what it needs is printed\n"
	"      --first              with --broker: no host is on it yet, so make the user for containers, too\n"
	"      --password-file FILE with --broker: this host's password (one is made)\n"
	"      --print-broker-commands\n"
	"                           with --broker: print what it needs once more, and do nothing else\n"
	"  -D, --dnsmasq WHICH      own: a second dnsmasq for the names of containers, which this host's asks (new hosts);\n"
	"                           shared: this host's dnsmasq answers for them itself\n"
	"      --search             containers find short names, too: the domains go into Docker's dns-search\n"
	"      --legacy             the host's user gets what legacy = true in callsignd.conf needs on the broker (docs/legacy.md)\n"
	"      --no-broker          leave the broker alone\n"
	"      --no-services        start and restart nothing, and do not run callsignctl doctor\n"
	"      --root DIR           change the files of a system below DIR; implies --no-services\n"
	"      --state DIR          where the record of changes is kept (/var/lib/callsign/setup)\n"
	"  -V, --version, -h, --help\n"
	"\n"
	"Exit codes: 0 done, and all is well; 1 something failed, or the doctor found something broken; 2 wrong usage.\n";

static void usage_error(const char *what, const char *value) __attribute__((noreturn));

static void usage_error(const char *what, const char *value)
{
	fprintf(stderr, "callsign-setup: %s%s%s\n\n%s", what, value != NULL ? ": " : "", value != NULL ? value : "", usage);
	exit(USAGE);
}

static void print_and_end(const char *text)
{
	fputs(text, stdout);
	exit(fflush(stdout) == 0 ? DONE : FAILED);
}

/* ---- options ---- */

struct arguments {
	struct setup setup;
	bool undo;
	const char *broker;
	char docker[ADDRESS_TEXT_SIZE], hostname[HOSTNAME_NAME_SIZE];
	char domains[1 + SETUP_FURTHER_MAX][HOSTNAME_FQDN_SIZE];
	unsigned ndomains;
};

enum { OPTION_ROOT = 256, OPTION_STATE, OPTION_NO_BROKER, OPTION_NO_SERVICES, OPTION_FIRST, OPTION_PASSWORD_FILE, OPTION_PRINT, OPTION_SEARCH, OPTION_LEGACY };

static void set_hostname(struct arguments *arguments, const char *text)
{
	enum hostname_error error = hostname_fold(text, strlen(text), arguments->hostname);

	if (error != HOSTNAME_OK)
		usage_error("this host's name is no use on the broker (--host)", hostname_error_text(error));
	arguments->setup.hostname = arguments->hostname;
}

static bool same_or_below(const char *name, const char *base)
{
	size_t length = strlen(name), tail = strlen(base);

	return length >= tail && strcmp(name + length - tail, base) == 0 && (length == tail || name[length - tail - 1] == '.');
}

static void set_domain(struct arguments *arguments, const char *text)
{
	enum hostname_error error;
	char *domain;
	unsigned i;

	if (arguments->ndomains >= 1 + SETUP_FURTHER_MAX)
		usage_error("--domain: there are at most 16", text);
	domain = arguments->domains[arguments->ndomains];
	error = hostname_fold_fqdn(text, strlen(text), domain);
	if (error != HOSTNAME_OK)
		usage_error("--domain", hostname_error_text(error));
	for (i = 0; i < arguments->ndomains; i++) {
		if (same_or_below(domain, arguments->domains[i]) || same_or_below(arguments->domains[i], domain))
			usage_error("--domain: one is another one, or below it", text);
	}
	if (arguments->ndomains++ == 0)
		arguments->setup.domain = domain;
	else
		arguments->setup.further[arguments->setup.nfurther++] = domain;
}

static void set_docker(struct arguments *arguments, const char *text)
{
	struct address address;

	if (address_parse(text, strlen(text), &address) == -1 || address.family != 4)
		usage_error("--docker-address is an IPv4 address", text);
	address_format(&address, arguments->docker);
	arguments->setup.docker = arguments->docker;
}

static void set_vhost(struct setup *setup, const char *text)
{
	if (text[0] == '\0' || strlen(text) > 100 || text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] != '\0')
		usage_error("--vhost: letters, digits, '-', '_' and '.'", text);
	setup->vhost = text;
}

static void set_connections(struct setup *setup, const char *text)
{
	char *end;
	unsigned long count = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || count < 1 || count > 1000000)
		usage_error("--connections takes a number from 1 to 1000000", text);
	setup->connections = (unsigned)count;
}

static void set_dnsmasq(struct setup *setup, const char *text)
{
	if (strcmp(text, "own") == 0)
		setup->dnsmasq = SETUP_DNSMASQ_OWN;
	else if (strcmp(text, "shared") == 0)
		setup->dnsmasq = SETUP_DNSMASQ_SHARED;
	else
		usage_error("--dnsmasq takes own or shared", text);
}

static void set_root(struct setup *setup, char *text)
{
	size_t length = strlen(text);

	while (length > 0 && text[length - 1] == '/')
		text[--length] = '\0';
	if (length > 0 && text[0] != '/')
		usage_error("--root takes an absolute path", text);
	setup->root = text;
	setup->no_services |= length > 0;
}

static void take_option(struct arguments *arguments, int option, char *value)
{
	struct setup *setup = &arguments->setup;

	switch (option) {
	case 'n': setup->dry_run = true; break;
	case 'u': arguments->undo = true; break;
	case 'd': set_domain(arguments, value); break;
	case 'a': set_docker(arguments, value); break;
	case 'H': set_hostname(arguments, value); break;
	case 'v': set_vhost(setup, value); break;
	case 'l': set_connections(setup, value); break;
	case OPTION_ROOT: set_root(setup, value); break;
	case OPTION_STATE: setup->state = value; break;
	case 'A': setup->agent = true; break;
	case 'b': arguments->broker = value; break;
	case 'D': set_dnsmasq(setup, value); break;
	case OPTION_FIRST: setup->remote.first = true; break;
	case OPTION_PASSWORD_FILE: setup->host_password_file = value; break;
	case OPTION_PRINT: setup->remote.print_only = true; break;
	case OPTION_SEARCH: setup->search = true; break;
	case OPTION_LEGACY: setup->legacy = true; break;
	case OPTION_NO_BROKER: setup->no_broker = true; break;
	case OPTION_NO_SERVICES: setup->no_services = true; break;
	case 'V': print_and_end("callsign-setup " PACKAGE_VERSION "\n"); break;
	case 'h': print_and_end(usage); break;
	default: exit(USAGE); /* getopt_long has said what is wrong */
	}
}

static void parse(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {
		{"dry-run", no_argument, NULL, 'n'}, {"undo", no_argument, NULL, 'u'}, {"domain", required_argument, NULL, 'd'},
		{"docker-address", required_argument, NULL, 'a'}, {"host", required_argument, NULL, 'H'}, {"vhost", required_argument, NULL, 'v'},
		{"connections", required_argument, NULL, 'l'}, {"root", required_argument, NULL, OPTION_ROOT},
		{"state", required_argument, NULL, OPTION_STATE}, {"no-broker", no_argument, NULL, OPTION_NO_BROKER},
		{"no-services", no_argument, NULL, OPTION_NO_SERVICES}, {"broker", required_argument, NULL, 'b'},
		{"first", no_argument, NULL, OPTION_FIRST}, {"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},
		{"search", no_argument, NULL, OPTION_SEARCH}, {"legacy", no_argument, NULL, OPTION_LEGACY}, {"print-broker-commands", no_argument, NULL, OPTION_PRINT}, {"dnsmasq", required_argument, NULL, 'D'},
		{"agent", no_argument, NULL, 'A'}, {"version", no_argument, NULL, 'V'}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "nuAd:a:H:v:l:b:D:Vh", options, NULL)) != -1)
		take_option(arguments, option, optarg);
	if (arguments->setup.host_password_file != NULL && arguments->setup.host_password_file[0] != '/')
		usage_error("--password-file takes an absolute path", arguments->setup.host_password_file);
	if (arguments->broker != NULL && arguments->setup.no_broker)
		usage_error("--broker or --no-broker, not both", NULL);
	if (arguments->broker != NULL && arguments->setup.agent)
		usage_error("--agent: with a broker on another machine it is set up by hand, docs/agent.md says how", NULL);
	if (arguments->setup.state == NULL || arguments->setup.state[0] != '/')
		usage_error("--state takes an absolute path", arguments->setup.state);
}

/* What was not given is found. */
static void complete(struct arguments *arguments)
{
	struct setup *setup = &arguments->setup;
	char machine[256] = "";
	struct address address;

	gethostname(machine, sizeof machine - 1);
	if (setup->hostname == NULL)
		set_hostname(arguments, machine);
	if (setup->docker == NULL && setup->root[0] == '\0' && ifaddr_ipv4("docker0", &address) == 0)
		setup->docker = address_format(&address, arguments->docker);
	if (setup->docker == NULL)
		set_docker(arguments, DEFAULT_DOCKER);
	resolver_find(setup->root, &setup->resolver);
	setup_find_holder(setup);
}

/* ---- the work ---- */

static int run_doctor(void)
{
	char *const argv[] = {(char *)(uintptr_t)"callsignctl", (char *)(uintptr_t)"doctor", NULL};

	printf("\ncallsignctl doctor:\n");
	fflush(stdout);
	execvp(argv[0], argv);
	fprintf(stderr, "callsign-setup: callsignctl: %s\n", strerror(errno));
	return FAILED;
}

static int finish(const struct setup *setup)
{
	if (!setup->changed && !setup->failed)
		puts("nothing to do");
	if (fflush(stdout) != 0 || setup->failed)
		return FAILED;
	return setup->dry_run || setup->no_services ? DONE : run_doctor();
}

/* What goes onto the broker: from here, or by way of whoever runs it. Without emit_password containers' user is there already. */
static void make_broker(struct setup *setup, const char *host_password, const char *emit_password)
{
	if (!setup->remote.on && !setup->no_broker)
		setup_broker(setup, host_password, emit_password);
	else if (setup->remote.on && (setup->changed || setup->remote.print_only))
		setup_remote_print(setup, host_password, emit_password);
	if (setup->remote.on && emit_password == NULL && setup->changed)
		setup_say("# Containers here log in as " SETUP_EMIT_USER ": copy " SETUP_EMIT_PASSWORD " from the broker's first host, or make a tenant.");
}

static int make(struct setup *setup)
{
	char host_password[SETUP_PASSWORD_SIZE], emit_password[SETUP_PASSWORD_SIZE];
	const char *file = setup->host_password_file != NULL ? setup->host_password_file : SETUP_HOST_PASSWORD;
	bool emitters = !setup->remote.on || setup->remote.first, by_hand;

	if (!setup->remote.print_only) {
		setup_note_services(setup);
		setup_own_choose(setup);
		setup_group(setup);
	}
	if (!setup_password(setup, file, host_password) || (emitters && !setup_password(setup, SETUP_EMIT_PASSWORD, emit_password)))
		return FAILED;
	setup->daemon_changed = setup->changed;
	if (setup->remote.on && !setup->remote.print_only)
		setup_conf(setup);
	by_hand = setup->remote.on && setup->changed;
	make_broker(setup, host_password, emitters ? emit_password : NULL);
	explicit_bzero(host_password, sizeof host_password);
	explicit_bzero(emit_password, sizeof emit_password);
	if (setup->remote.print_only)
		return fflush(stdout) == 0 && !setup->failed ? DONE : FAILED;
	if (!setup->remote.on)
		setup_conf(setup);
	setup_own_instance(setup);
	setup_dnsmasq(setup);
	setup_resolvconf(setup);
	setup_split_dns(setup);
	if (setup->agent && !setup->remote.print_only)
		setup_agent(setup);
	if (!setup->failed && setup->root[0] == '\0')
		setup_services(setup);
	if (!setup->failed && setup_world(setup))
		setup_docker(setup);
	if (!setup->failed && setup->root[0] == '\0')
		setup_docker_service(setup);
	if (!setup->failed)
		setup_own_away(setup);
	if (by_hand && !setup->failed)
		setup_say("\nNow run the command above on the broker's machine; then, here: callsignctl doctor");
	return by_hand ? finish(&(struct setup){.changed = true, .failed = setup->failed, .dry_run = true}) : finish(setup);
}

/* The broker first: if it is away, the files that a second try needs are still there. */
static int undo(struct setup *setup)
{
	setup_remote_undo(setup);
	if (json_object_get(setup->record, "broker") != NULL && !setup->no_broker)
		setup_broker_undo(setup);
	if (setup->failed)
		return FAILED;
	if (setup->root[0] == '\0')
		setup_services_before_undo(setup);
	setup_files_undo(setup);
	setup_runtime_undo(setup);
	if (setup->root[0] == '\0')
		setup_services_after_undo(setup);
	if (!setup->dry_run)
		json_object_clear(setup->record);
	if (setup_record_save(setup) == -1)
		return FAILED;
	if (!setup->changed)
		puts("nothing to do");
	else if (!setup->dry_run && setup->no_services)
		setup_say("restart Docker and stop callsignd when that suits");
	return setup->failed ? FAILED : DONE;
}

static int dispatch(struct arguments *arguments, int count, char **words)
{
	struct setup *setup = &arguments->setup;

	if (count > 0 && arguments->undo)
		usage_error("--undo takes everything back, and no arguments", NULL);
	if (count == 1 && strcmp(words[0], "image") == 0) {
		/* What an earlier run was told about the broker counts, if we may read it. */
		if (geteuid() != 0)
			setup->record = json_object();
		if (geteuid() == 0 && setup_record_load(setup) == -1)
			return FAILED;
		if (setup_remote_find(setup, arguments->broker) == -1)
			return USAGE;
		setup_image(setup);
		return finish(&(struct setup){.changed = true, .dry_run = true});
	}
	if (count > 0 && (count != 3 || strcmp(words[0], "tenant") != 0))
		usage_error("image, or tenant NAME PREFIX", NULL);
	if (geteuid() != 0) {
		setup_error(setup, "only root may do this: sudo callsign-setup");
		return FAILED;
	}
	if (setup_record_lock(setup) == -1 || setup_record_load(setup) == -1)
		return FAILED;
	if (setup_remote_find(setup, arguments->broker) == -1)
		return USAGE;
	if (count == 3)
		return setup_tenant(setup, words[1], words[2]);
	setup_find_writer(setup);
	return arguments->undo ? undo(setup) : make(setup);
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.setup = {.root = "", .state = "/var/lib/callsign/setup", .domain = "docker", .vhost = "callsign",
	                                        .host_user = SETUP_HOST_USER,
	                                        .connections = DEFAULT_CONNECTIONS}};
	int code;

	log_open(&log_to_stderr, "callsign-setup", LOG_LEVEL_WARNING);
	parse(&arguments, argc, argv);
	complete(&arguments);
	code = dispatch(&arguments, argc - optind, argv + optind);
	setup_remote_free(&arguments.setup);
	json_decref(arguments.setup.record);
	return code;
}
