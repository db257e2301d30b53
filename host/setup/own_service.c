#include <config.h>

#include "setup.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* How the second dnsmasq is started: a unit where systemd is process 1, else a script of init.d. */

static const char unit[] =
	"# Made by callsign-setup; callsign-setup --undo takes it away.\n"
	"[Unit]\n"
	"Description=dnsmasq for the names of containers alone\n"
	"Documentation=man:callsign-setup(8)\n"
	"After=network.target\n"
	"Before=nss-lookup.target dnsmasq.service callsignd.service\n"
	"StartLimitIntervalSec=0\n\n"
	"[Service]\n"
	"Type=forking\n"
	"PIDFile=" SETUP_OWN_PID "\n"
	"RuntimeDirectory=callsign-dnsmasq\n"
	"ExecStartPre=/usr/sbin/dnsmasq --test --conf-file=" SETUP_OWN_CONF "\n"
	"ExecStart=/usr/sbin/dnsmasq --conf-file=" SETUP_OWN_CONF "\n"
	"ExecReload=/bin/kill -HUP $MAINPID\n"
	"Restart=always\n"
	"RestartSec=200ms\n"
	"NoNewPrivileges=yes\n"
	"ProtectSystem=strict\n"
	"ProtectHome=yes\n"
	"PrivateTmp=yes\n"
	"PrivateDevices=yes\n"
	"ProtectKernelTunables=yes\n"
	"ProtectKernelModules=yes\n"
	"ProtectControlGroups=yes\n"
	"RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK\n\n"
	"[Install]\n"
	"WantedBy=multi-user.target\n";

static const char script[] =
	"#!/bin/sh\n"
	"# Made by callsign-setup; callsign-setup --undo takes it away.\n"
	"### BEGIN INIT INFO\n"
	"# Provides:          callsign-dnsmasq\n"
	"# Required-Start:    $local_fs $remote_fs\n"
	"# Required-Stop:     $local_fs $remote_fs\n"
	"# Should-Start:      $network $syslog\n"
	"# X-Start-Before:    dnsmasq callsignd\n"
	"# Default-Start:     2 3 4 5\n"
	"# Default-Stop:      0 1 6\n"
	"# Short-Description: dnsmasq for the names of containers alone\n"
	"### END INIT INFO\n"
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
	"DAEMON=/usr/sbin/dnsmasq\n"
	"CONF=" SETUP_OWN_CONF "\n"
	"PIDFILE=" SETUP_OWN_PID "\n"
	"[ -x \"$DAEMON\" ] || exit 5\n\n"
	"start() {\n"
	"\tmkdir -p \"${PIDFILE%/*}\" || return 1\n"
	"\t\"$DAEMON\" --test --conf-file=\"$CONF\" 2>/dev/null || { echo \"callsign-dnsmasq: $CONF is not valid\" >&2; return 6; }\n"
	"\tstart-stop-daemon --start --quiet --oknodo --pidfile \"$PIDFILE\" --exec \"$DAEMON\" -- --conf-file=\"$CONF\"\n"
	"}\n"
	"stop() {\n"
	"\tstart-stop-daemon --stop --quiet --oknodo --retry=TERM/5/KILL/2 --pidfile \"$PIDFILE\" --exec \"$DAEMON\"\n"
	"}\n"
	"case ${1:-} in\n"
	"start | stop) \"$1\" ;;\n"
	"restart) stop && start ;;\n"
	"reload | force-reload) start-stop-daemon --stop --quiet --signal HUP --pidfile \"$PIDFILE\" --exec \"$DAEMON\" ;;\n"
	"status) start-stop-daemon --status --pidfile \"$PIDFILE\" --exec \"$DAEMON\" ;;\n"
	"*)\n"
	"\techo \"Usage: $0 {start|stop|restart|reload|force-reload|status}\" >&2\n"
	"\texit 3\n"
	"\t;;\n"
	"esac\n";

static bool is_executable(const struct setup *setup, const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof full, "%s%s", setup->root, path);
	return access(full, X_OK) == 0;
}

/* In a root of another machine systemd is what that machine will boot, if it is there. */
static bool boots_systemd(const struct setup *setup)
{
	if (setup->root[0] == '\0')
		return access("/run/systemd/system", F_OK) == 0; /* sd_booted(3) */
	return is_executable(setup, "/lib/systemd/systemd") || is_executable(setup, "/usr/lib/systemd/systemd");
}

void setup_own_service(struct setup *setup)
{
	if (boots_systemd(setup))
		setup->own_changed |= setup_write(setup, SETUP_OWN_UNIT, unit, 0644, SETUP_PLAIN);
	else
		setup->own_changed |= setup_write(setup, SETUP_OWN_SCRIPT, script, 0755, SETUP_PLAIN);
}
