#include <config.h>

#include "doctor.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dnsmasqconf.h"

#define SETUP "callsign-setup, then restart dnsmasq"

/* The file of reverse zones that the dnsmasq which containers ask has to read: beside the hosts file (reversezones.h). false: it has no such path. */
static bool file_of(const struct doctor *doctor, char out[PATH_MAX])
{
	const char *hosts = doctor->conf->dnsmasq.hosts_file, *slash = strrchr(hosts, '/');

	return snprintf(out, PATH_MAX, "%.*s/%s", (int)(slash - hosts), hosts, doctor->own ? "forward" : "reverse") < PATH_MAX;
}

static void judge(const char *path, const struct dnsmasqconf *conf, struct doctor_finding *finding)
{
	const struct dnsmasqconf_option *other = dnsmasqconf_find(conf, "servers-file", NULL);
	char mend[DOCTOR_MEND_SIZE];

	if (dnsmasqconf_find(conf, "servers-file", path) == NULL && other != NULL) {
		snprintf(mend, sizeof mend, "dnsmasq takes one servers-file: let %.1024s hold the lines of %.1024s, too", other->value, path);
		doctor_warning(finding, mend, "reverse names of other networks than docker0's are not kept here: servers-file=%s (%s) is another file", other->value,
		               other->where);
	} else if (other == NULL && !conf->incomplete) {
		doctor_warning(finding, SETUP, "reverse names of other networks than docker0's are asked for elsewhere: dnsmasq's configuration has no servers-file=%s",
		               path);
	} else if (access(path, F_OK) == -1) {
		doctor_warning(finding, doctor_service(mend, sizeof mend, "restart", "callsignd"), "%s is not there: has callsignd written it?", path);
	} else {
		doctor_ok(finding, "the networks of this host are in %s as they come and go", path);
	}
}

void doctor_reverse(struct doctor *doctor, struct doctor_finding *finding)
{
	struct dnsmasqconf conf;
	char path[PATH_MAX];

	if (!file_of(doctor, path)) {
		doctor_skipped(finding, "not looked at: the path of the hosts file is too long");
		return;
	}
	doctor_containers_conf(doctor, &conf);
	judge(path, &conf, finding);
	dnsmasqconf_free(&conf);
}
