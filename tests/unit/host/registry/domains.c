/* Several domains: what each takes, who has a name in which, and what is served where (policy, view, served, hosts file). */
#include <config.h>

#include "tests/unit/hostkit.h"

#include <unistd.h>

#include "host/registry/policy.h"
#include "host/registry/served.h"
#include "host/sinks/dnsmasq/hostsfile.h"
#include "tests/unit/exact.h"

static struct kit kit;
static struct policy policy;
static struct policy_domain domains[3];
static enum view_conflict conflicts[3];

static uint32_t name_domains(void *arg, const char *user, const char *name)
{
	(void)arg;
	return policy_name_domains(&policy, user, name);
}

static uint32_t address_domains(void *arg, const char *user, const struct address *address)
{
	(void)arg;
	return policy_address_domains(&policy, user, address);
}

static struct view_policy view_policy(void)
{
	struct view_policy out = {.name_domains = name_domains, .address_domains = address_domains};

	for (; out.ndomains < policy.ndomains; out.ndomains++) {
		out.domains[out.ndomains].name = policy.domains[out.ndomains].name;
		out.domains[out.ndomains].conflict = conflicts[out.ndomains];
	}
	return out;
}

static void reload(void)
{
	struct view_policy fresh = view_policy();

	view_set_policy(kit.view, VIEW_ALL, &fresh);
	view_refresh(kit.view);
}

/* docker, which takes everything, and lab.example. */
static int begin(void **state)
{
	static char docker[] = "docker", lab[] = "lab.example", far[] = "far.example";
	char *const names[] = {docker, lab, far};
	struct registry_options options = kit_options();

	(void)state;
	policy_init(&policy);
	memset(domains, 0, sizeof(domains));
	memset(conflicts, 0, sizeof(conflicts));
	for (size_t i = 0; i < COUNT(domains); i++)
		domains[i].name = names[i];
	policy.domains = domains;
	policy.ndomains = 2;
	kit_open_synced(&kit, &options, VIEW_ALL);
	reload();
	return 0;
}

static int end(void **state)
{
	(void)state;
	kit_close(&kit);
	return 0;
}

/* ---- what is served, as text: NAME.DOMAIN=ADDRESSES, one after the other ---- */

static char text[4096];

static bool add_served(void *arg, const struct served *served)
{
	const struct listing *listing = arg;
	size_t used = strlen(text);

	used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s=", used > 0 ? " " : "", served->fqdn);
	for (unsigned i = 0; i < listing->fact->naddresses; i++)
		if ((served->addresses >> i & 1) != 0)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u", text[used - 1] == '=' ? "" : ",",
						 kit_address_number(&listing->fact->addresses[i]));
	assert_string_equal(served->domain, policy.domains[served->domain_number].name);
	return true;
}

static bool add_listing(void *arg, const struct listing *listing)
{
	(void)arg;
	served_each(&policy, listing, add_served, (void *)(uintptr_t)listing);
	return true;
}

static const char *served(void)
{
	text[0] = '\0';
	view_each(kit.view, add_listing, NULL);
	return text;
}

static void up(const char *user, const char *name, unsigned instance, unsigned address)
{
	struct announcement message = kit_announce(name, instance, instance, 1, address);

	assert_int_equal(kit_deliver(&kit, &message, user), REGISTRY_APPLIED);
}

static void down(const char *user, const char *name, unsigned instance)
{
	struct announcement message = kit_message(ANNOUNCEMENT_DOWN, name, instance, instance, 1000);

	assert_int_equal(kit_deliver(&kit, &message, user), REGISTRY_APPLIED);
}

#define LIST(...) (char *[]){__VA_ARGS__}
#define T(literal) (char[]){literal}

/* ---- the rules ---- */

static void a_name_is_in_each_domain_that_takes_it(void **state)
{
	struct announcement message = kit_announce("web.dev", 1, 1, 1, 2);
	char *patterns[] = {T("*.dev"), T("*.prod")};

	(void)state;
	domains[1].rule.names = patterns;
	domains[1].rule.nnames = 2;
	kit_add_alias(&message, "www");
	kit_add_alias(&message, "www.prod");
	kit_deliver(&kit, &message, "web");
	assert_string_equal(served(), "web.dev.docker=2 web.dev.lab.example=2 www.docker=2 www.prod.docker=2 www.prod.lab.example=2");
	assert_int_equal(served_domains(view_listing(kit_find(&kit, 1)), 1), 1);
	assert_int_equal(served_anywhere(view_listing(kit_find(&kit, 1))), 3);
	assert_int_equal(view_names(kit.view), 3);
}

static void a_domain_takes_some_users(void **state)
{
	char *users[] = {T("two")};

	(void)state;
	domains[1].users = users;
	domains[1].nusers = 1;
	up("one", "a", 1, 1);
	up("two", "b", 2, 2);
	assert_string_equal(served(), "a.docker=1 b.docker=2 b.lab.example=2");
}

static void a_domain_takes_some_addresses(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 2);
	struct address lab = kit_address(3);
	struct prefix only = {.base = lab, .length = 32};

	(void)state;
	domains[1].rule.subnets = &only;
	domains[1].rule.nsubnets = 1;
	kit_add_address(&message, 3);
	kit_deliver(&kit, &message, "web");
	up("web", "far", 2, 9);
	assert_string_equal(served(), "web.docker=2,3 web.lab.example=3 far.docker=9");
	assert_int_equal(served_addresses(view_listing(kit_find(&kit, 1)), 1), 2);
}

static void each_domain_has_its_own_conflict(void **state)
{
	(void)state;
	conflicts[1] = VIEW_NEWEST;
	reload();
	up("web", "a", 1, 1);
	up("web", "a", 2, 2);
	assert_string_equal(served(), "a.docker=1 a.docker=2 a.lab.example=2");
	down("web", "a", 2);
	assert_string_equal(served(), "a.docker=1 a.lab.example=1");
}

/* The newest one has no address that the domain takes: it must not leave the name empty there. */
static void the_choice_is_among_those_that_the_domain_reaches(void **state)
{
	struct prefix only = {.base = kit_address(1), .length = 32};

	(void)state;
	conflicts[1] = VIEW_NEWEST;
	domains[1].rule.subnets = &only;
	domains[1].rule.nsubnets = 1;
	reload();
	up("web", "a", 1, 1);
	up("web", "a", 2, 2);
	assert_string_equal(served(), "a.docker=1 a.lab.example=1 a.docker=2");
}

static void two_users_have_a_name_in_two_domains(void **state)
{
	char *one[] = {T("one")}, *two[] = {T("two")};

	(void)state;
	domains[0].users = one;
	domains[0].nusers = 1;
	domains[1].users = two;
	domains[1].nusers = 1;
	up("one", "web", 1, 1);
	up("two", "web", 2, 2);
	assert_string_equal(served(), "web.docker=1 web.lab.example=2");
	assert_true(view_listed(kit_find(&kit, 1)) && view_listed(kit_find(&kit, 2)));
	/* Now both may have it in both: everybody keeps what he has. */
	domains[0].nusers = domains[1].nusers = 0;
	reload();
	assert_string_equal(served(), "web.docker=1 web.lab.example=2");
	up("one", "web", 3, 3);
	assert_string_equal(served(), "web.docker=1 web.lab.example=2 web.docker=3");
	down("two", "web", 2);
	assert_string_equal(served(), "web.docker=1 web.lab.example=1 web.docker=3 web.lab.example=3");
}

static void a_reload_moves_domains_and_nobody_loses_a_name(void **state)
{
	struct policy_domain first;

	(void)state;
	up("one", "web", 1, 1);
	up("two", "web", 2, 2);
	policy.ndomains = 3;
	reload();
	assert_string_equal(served(), "web.docker=1 web.lab.example=1 web.far.example=1");
	first = domains[0];
	domains[0] = domains[2];
	domains[2] = first;
	policy.ndomains = 2;
	reload();
	assert_string_equal(served(), "web.far.example=1 web.lab.example=1");
}

static unsigned told;

static void count_told(void *arg, const struct listing *listing, bool records)
{
	(void)arg;
	(void)listing;
	told += records;
}

static void other_domains_are_told_to_every_sink(void **state)
{
	struct view_watcher watcher = {.listing = count_told};

	(void)state;
	up("web", "a", 1, 1);
	up("web", "b", 2, 2);
	view_set_watcher(kit.view, &watcher);
	told = 0;
	reload();
	assert_int_equal(told, 0);
	domains[1].name = T("other.example");
	reload();
	assert_int_equal(told, 2);
}

static void a_name_too_long_for_one_domain_is_in_the_others(void **state)
{
	char name[HOSTNAME_NAME_SIZE], domain[HOSTNAME_FQDN_SIZE], reason[POLICY_REASON_SIZE];
	struct announcement message;

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	memset(domain, 'd', 60);
	name[50] = name[100] = name[150] = '.';
	name[HOSTNAME_NAME_MAX] = domain[60] = '\0';
	domains[0].name = domain;
	reload();
	up("web", name, 1, 1);
	served();
	assert_null(strchr(text, ' '));
	assert_non_null(strstr(text, ".lab.example=1"));
	policy.ndomains = 1;
	message = kit_announce(name, 1, 1, 1, 1);
	assert_non_null(policy_refuses(&policy, "web", &message, reason));
	assert_non_null(strstr(reason, "fits no domain"));
}

static void what_no_domain_takes_is_refused_with_words(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 1);
	char *patterns[] = {T("*.dev")}, *users[] = {T("two")}, reason[POLICY_REASON_SIZE];
	struct prefix far = {.base = {4, {10}}, .length = 8};

	(void)state;
	domains[0].rule.names = patterns;
	domains[0].rule.nnames = 1;
	domains[1].users = users;
	domains[1].nusers = 1;
	assert_string_equal(policy_refuses(&policy, "one", &message, reason),
			    "name web fits no domain that is served here (docker: names; lab.example: users)");
	assert_null(policy_refuses(&policy, "two", &message, reason));
	domains[0].rule.subnets = domains[1].rule.subnets = &far;
	domains[0].rule.nsubnets = domains[1].rule.nsubnets = 1;
	assert_non_null(policy_refuses(&policy, "two", &message, reason));
	assert_non_null(strstr(reason, "in none of the subnets of the domains"));
}

/* A tenant's own restrictions hold in every domain. */
static void a_user_section_narrows_all_domains(void **state)
{
	char *patterns[] = {T("web-*")};
	struct policy_user tenant = {.user = T("tenant"), .rule = {.names = patterns, .nnames = 1}};

	(void)state;
	policy.users = &tenant;
	policy.nusers = 1;
	assert_int_equal(policy_name_domains(&policy, "tenant", "web-1"), 3);
	assert_int_equal(policy_name_domains(&policy, "tenant", "db"), 0);
	assert_int_equal(policy_name_domains(&policy, "other", "db"), 3);
	assert_int_equal(policy_name_domains(&policy, "tenant", "callsign"), 0);
}

/* ---- the hosts file ---- */

static const struct hostsfile_domains both = {2, {"docker", "lab.example"}}, other = {1, {"other"}};
static char read_back[4096];
static struct view_held read_listed; /* of the last one */

static void note(void *arg, const struct announcement *message, const char *user, int64_t until_ms, const struct view_held *listed)
{
	size_t used = strlen(read_back);

	(void)arg;
	(void)until_ms;
	read_listed = *listed;
	used += (size_t)snprintf(read_back + used, sizeof(read_back) - used, "%s", message->name);
	for (unsigned i = 0; i < message->naliases; i++)
		used += (size_t)snprintf(read_back + used, sizeof(read_back) - used, "+%s", message->aliases[i]);
	for (unsigned i = 0; i < message->naddresses; i++)
		used += (size_t)snprintf(read_back + used, sizeof(read_back) - used, " %u", kit_address_number(&message->addresses[i]));
	snprintf(read_back + used, sizeof(read_back) - used, " %s;", user);
}

static struct hostsfile_content parse(const char *file, const struct hostsfile_domains *configured)
{
	struct hostsfile_content content;
	char *copy = exact_copy(file, strlen(file));

	read_back[0] = '\0';
	hostsfile_parse(copy, strlen(file), configured, "", note, NULL, &content);
	free(copy);
	return content;
}

static void the_hosts_file_has_every_domain_and_is_read_back(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 2);
	char *patterns[] = {T("*.dev")}, path[] = "/tmp/callsign-domains-XXXXXX", file[4096] = "", *line;
	struct prefix only = {.base = kit_address(3), .length = 32};
	const struct hostsfile_own own = {"host", 3, kit_address(7)};
	struct hostsfile *hosts = hostsfile_new(&both);
	struct hostsfile_content content;
	int fd = mkstemp(path);
	FILE *in;

	(void)state;
	assert_true(fd >= 0);
	domains[1].rule.names = patterns;
	domains[1].rule.nnames = 1;
	domains[1].rule.subnets = &only;
	domains[1].rule.nsubnets = 1;
	kit_add_address(&message, 3);
	kit_add_alias(&message, "web.dev");
	kit_deliver(&kit, &message, "web");
	domains[0].rule.nnames = 1; /* docker takes this one's own name, lab.example its alias */
	domains[0].rule.names = LIST(T("web"));
	reload();
	assert_string_equal(served(), "web.docker=2,3 web.dev.lab.example=3");
	hostsfile_listing(hosts, view_listing(kit_find(&kit, 1)));
	assert_int_equal(hostsfile_write(hosts, path, HOSTSFILE_SERIAL_MIN, "", &own, 1), 0);
	hostsfile_free(hosts);
	in = fdopen(fd, "r");
	fclose(in);
	in = fopen(path, "r");
	assert_non_null(in);
	file[fread(file, 1, sizeof(file) - 1, in)] = '\0';
	fclose(in);
	unlink(path);
	assert_non_null(strstr(file, "\n# domains docker lab.example\n127.128.0.0 serial.callsign.docker\n"
				     "198.18.0.7 host.docker host.lab.example # host\n198.18.0.2 web.docker # "));
	line = strstr(file, "\n198.18.0.3 ");
	assert_non_null(line);
	assert_non_null(strstr(line, " web.docker web.dev.lab.example # instance="));
	/* Whatever is configured by now: the file says below which domains its names are. */
	content = parse(file, &other);
	assert_int_equal(content.skipped, 0);
	assert_int_equal(content.serial, HOSTSFILE_SERIAL_MIN);
	assert_string_equal(read_back, "web+web.dev 2 3 web;");
}

#define FILE_OF(lines) HOSTSFILE_MAGIC "\n" HOSTSFILE_NOTICE "\n" lines
#define I1 " # instance=01900000000170018002030405060708 user=web"

static void a_file_of_before_is_below_the_configured_domains(void **state)
{
	struct hostsfile_content content = parse(FILE_OF("127.128.0.7 serial.callsign.docker\n198.18.0.1 a.docker" I1 "\n"), &both);

	(void)state;
	assert_int_equal(content.skipped, 0);
	assert_int_equal(content.serial, HOSTSFILE_SERIAL_MIN + 7);
	assert_string_equal(read_back, "a 1 web;");
}

static void odd_lines_of_domains_are_skipped(void **state)
{
	static const char *const odd[] = {
		"# domains",      "# domains ",        "# domains docker docker", "# domains docker a.docker", "# domains a.docker docker",
		"# domains DOCKER", "# domains docker  b", "# domains docker ",     "# domains -a",               "#domains docker",
		"# domains a b c d e f g h i j k l m n o p q",
	};
	struct hostsfile_content content;
	char file[512];

	(void)state;
	for (size_t i = 0; i < COUNT(odd); i++) {
		snprintf(file, sizeof(file), FILE_OF("%s\n198.18.0.1 a.docker" I1 "\n"), odd[i]);
		content = parse(file, &both);
		if (content.skipped != 1 || content.instances != 1)
			fail_msg("%s: skipped=%zu instances=%zu", odd[i], content.skipped, content.instances);
	}
	content = parse(FILE_OF("# domains x\n198.18.0.1 a.x" I1 "\n# domains y\n"), &both);
	assert_int_equal(content.skipped, 1);
	content = parse(FILE_OF("198.18.0.1 a.docker a.lab.example a.docker" I1 "\n"), &both);
	assert_int_equal(content.skipped, 1);
}

static void what_was_listed_is_told_by_the_domains_of_now(void **state)
{
	(void)state;
	/* Another order than today's, and one that is no more. */
	parse(FILE_OF("# domains lab.example gone docker\n"
		      "198.18.0.1 a.docker a.gone www.lab.example www.docker" I1 "\n198.18.0.2 www.lab.example other.docker" I1 " name=a\n"
		      "198.18.0.3 x.docker # instance=01900000000270018002030405060708 user=web\n"), &both);
	assert_int_equal(read_listed.names[0], 1);
	assert_int_equal(read_listed.addresses, 1);
	parse(FILE_OF("# domains lab.example gone docker\n"
		      "198.18.0.1 a.docker a.gone www.lab.example www.docker" I1 "\n198.18.0.2 www.lab.example other.docker" I1 " name=a\n"
		      "# waits 198.18.0.3 a.docker" I1 "\n"), &both);
	assert_string_equal(read_back, "a+www+other 1 2 3 web;");
	assert_int_equal(read_listed.names[0], 1);
	assert_int_equal(read_listed.names[1], 3);
	assert_int_equal(read_listed.names[2], 1);
	assert_int_equal(read_listed.addresses, 3);
	/* Nothing of what waits, unless it is for its turn. */
	parse(FILE_OF("# waits 198.18.0.1 a.docker" I1 "\n"), &both);
	assert_int_equal(read_listed.names[0] | read_listed.addresses, 0);
	parse(FILE_OF("198.18.0.1 a.docker" I1 "\n# said 198.18.0.1 a.docker www.docker" I1 "\n"), &both);
	assert_int_equal(read_listed.names[0] | read_listed.names[1] | read_listed.addresses, 0);
	parse(FILE_OF("# waits 198.18.0.1 a.docker # instance=01900000000170018002030405060708 session=01900000000170018002030405060708 user=web\n"),
	      &both);
	assert_int_equal(read_listed.names[0] & read_listed.addresses, 1);
}

static void restore(void *arg, const struct announcement *message, const char *user, int64_t until_ms, const struct view_held *listed)
{
	(void)arg;
	assert_int_equal(registry_restore(kit.registry, message, user, until_ms, kit.now_ms), REGISTRY_APPLIED);
	view_hold(registry_find(kit.registry, &message->instance), listed);
}

/* What a daemon serves that finds this file. */
static const char *served_after(const char *file)
{
	struct registry_options options = kit_options();
	struct view_policy fresh = view_policy();
	struct hostsfile_content content;

	kit_close(&kit);
	kit_open(&kit, &options, VIEW_ALL);
	view_set_policy(kit.view, VIEW_ALL, &fresh);
	hostsfile_parse(file, strlen(file), &both, "", restore, NULL, &content);
	assert_int_equal(content.skipped, 0);
	kit_settle(&kit);
	return served();
}

#define OF(n, user) " # instance=0190000000" #n "70018002030405060708 user=" user

static void who_had_a_name_keeps_it_whatever_the_files_order(void **state)
{
	(void)state;
	assert_string_equal(served_after(FILE_OF("198.18.0.1 n.docker" OF(01, "x") "\n198.18.0.2 n.lab.example" OF(02, "y") "\n")),
			    "n.docker=1 n.lab.example=2");
	assert_string_equal(served_after(FILE_OF("198.18.0.2 n.lab.example" OF(02, "y") "\n198.18.0.1 n.docker" OF(01, "x") "\n")),
			    "n.lab.example=2 n.docker=1");
	/* One's own name that is another's. */
	assert_string_equal(served_after(FILE_OF("198.18.0.1 www.docker www.lab.example" OF(01, "x") " name=web\n"
						 "198.18.0.2 web.docker web.lab.example" OF(02, "y") "\n")),
			    "www.docker=1 www.lab.example=1 web.docker=2 web.lab.example=2");
	/* With all that was said: addresses of its own in the other domain, and the other one's. */
	assert_string_equal(served_after(FILE_OF("198.18.0.1 n.docker" OF(01, "x") "\n198.18.0.2 n.lab.example" OF(02, "y") "\n"
						 "# said 198.18.0.1 n.docker" OF(01, "x") "\n# said 198.18.0.2 n.docker" OF(01, "x") "\n"
						 "# said 198.18.0.3 n.docker" OF(01, "x") "\n")),
			    "n.docker=1,3 n.lab.example=2");
}

int main(void)
{
#define RULE(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		RULE(a_name_is_in_each_domain_that_takes_it),
		RULE(a_domain_takes_some_users),
		RULE(a_domain_takes_some_addresses),
		RULE(each_domain_has_its_own_conflict),
		RULE(the_choice_is_among_those_that_the_domain_reaches),
		RULE(two_users_have_a_name_in_two_domains),
		RULE(a_reload_moves_domains_and_nobody_loses_a_name),
		RULE(other_domains_are_told_to_every_sink),
		RULE(a_name_too_long_for_one_domain_is_in_the_others),
		RULE(what_no_domain_takes_is_refused_with_words),
		RULE(a_user_section_narrows_all_domains),
		RULE(the_hosts_file_has_every_domain_and_is_read_back),
		RULE(a_file_of_before_is_below_the_configured_domains),
		RULE(odd_lines_of_domains_are_skipped),
		RULE(what_was_listed_is_told_by_the_domains_of_now),
		RULE(who_had_a_name_keeps_it_whatever_the_files_order),
	};

	return cmocka_run_group_tests_name("domains", tests, NULL, NULL);
}
