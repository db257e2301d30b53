#include <config.h>

#include "servers.h"

#include <stdio.h>
#include <string.h>

/* In these templates: %d domain, %r reverse zone, %a address, %p port. A line with %r is left out where that is not known. */
static const struct {
	const char *program, *lines;
} servers[] = {
	{"unbound", "in unbound.conf, within server:\n"
	            "  do-not-query-localhost: no\n"
	            "  domain-insecure: \"%d.\"\n"
	            "  private-domain: \"%d.\"\n"
	            "  local-zone: \"%r.\" nodefault\n"
	            "  domain-insecure: \"%r.\"\n"
	            "and after it:\n"
	            "  forward-zone:\n"
	            "    name: \"%d.\"\n"
	            "    forward-addr: %a@%p\n"
	            "    forward-no-cache: yes\n"
	            "  forward-zone: # reverse names: %r\n"
	            "    name: \"%r.\"\n"
	            "    forward-addr: %a@%p # %r\n"
	            "    forward-no-cache: yes # %r\n"},
	{"named", "in named.conf, within options:\n"
	          "  validate-except { \"%d\"; };\n"
	          "  disable-empty-zone \"%r\";\n"
	          "and after it:\n"
	          "  zone \"%d\" { type forward; forward only; forwarders { %a port %p; }; };\n"
	          "  zone \"%r\" { type forward; forward only; forwarders { %a port %p; }; };\n"},
	{"pdns_recursor", "in recursor.conf (recursor.yml has the same in its sections recursor and packetcache):\n"
	                  "  forward-zones-recurse+=%d=%a:%p\n"
	                  "  forward-zones-recurse+=%r=%a:%p\n"
	                  "  packetcache-ttl=1\n"
	                  "  packetcache-servfail-ttl=1\n"
	                  "  max-negative-ttl=1\n"
	                  "and after it, where it validates (dnssec=validate), in its lua-config-file (recursor.yml: dnssec.negative_trustanchors):\n"
	                  "  addNTA('%d')\n"
	                  "  addNTA('%r')\n"},
	{"kresd", "in kresd.conf (Knot Resolver 5), behind cache.size:\n"
	          "  cache.min_ttl(0)\n"
	          "  policy.add(policy.suffix(policy.STUB('%a@%p'), policy.todnames({'%d.'})))\n"
	          "  policy.add(policy.suffix(policy.STUB('%a@%p'), policy.todnames({'%r.'})))\n"
	          "or in config.yaml (Knot Resolver 6):\n"
	          "cache: {ttl-min: 0s}\n"
	          "forward:\n"
	          "- {subtree: %d., servers: [%a@%p], options: {authoritative: true, dnssec: false}}\n"
	          "- {subtree: %r., servers: [%a@%p], options: {authoritative: true, dnssec: false}}\n"},
	{"dnsmasq", "in its configuration (Debian's own: /etc/dnsmasq.d), and none of use-stale-cache, min-cache-ttl and neg-ttl:\n"
	            "  server=/%d/%a#%p\n"
	            "  server=/%r/%a#%p\n"
	            "  rebind-domain-ok=/%d/\n"},
	{"systemd-resolve", "callsign-setup\n"},
	{"nscd", "in /etc/nscd.conf:\n"
	         "  negative-time-to-live hosts 0\n"
	         "  positive-time-to-live hosts 1\n"},
};

static void put(FILE *out, char what, const struct servers_way *way)
{
	switch (what) {
	case 'd': fputs(way->domain, out); break;
	case 'r': fputs(way->reverse, out); break;
	case 'a': fputs(way->address, out); break;
	case 'p': fprintf(out, "%u", way->port); break;
	default: break;
	}
}

/* One line of a template, with what it has inside filled in. */
static void fill(FILE *out, const char *line, size_t length, const struct servers_way *way)
{
	for (size_t i = 0; i < length; i++) {
		if (line[i] == '%' && i + 1 < length)
			put(out, line[++i], way);
		else
			fputc(line[i], out);
	}
	fputc('\n', out);
}

static const char *template_of(const char *program)
{
	for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
		if (strcmp(servers[i].program, program) == 0)
			return servers[i].lines;
	return NULL;
}

const char *servers_lines(const char *program, const struct servers_way *way, char *out, size_t size)
{
	const char *line = template_of(program);
	FILE *stream = line != NULL && size > 0 ? fmemopen(out, size, "w") : NULL;

	if (stream == NULL)
		return NULL;
	for (size_t length; *line != '\0'; line += length + 1) {
		length = strcspn(line, "\n");
		if (way->reverse[0] != '\0' || memmem(line, length, "%r", 2) == NULL)
			fill(stream, line, length, way);
	}
	fclose(stream);
	out[size - 1] = '\0';
	return out;
}
