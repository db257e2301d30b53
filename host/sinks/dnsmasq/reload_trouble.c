#include <config.h>

#include "reload_trouble.h"

#include <stdarg.h>
#include <stdio.h>

void reload_trouble_begin(enum reload_trouble *kind, enum reload_trouble now, char text[RELOAD_TEXT_SIZE],
			  const char *format, ...)
{
	bool known = *kind == now;
	va_list arguments;

	/* A dnsmasq that is stopped and started: that its pid file is stale, missing or empty meanwhile is no other
	 * trouble. */
	if (*kind == RELOAD_ENDED &&
	    (now == reload_trouble_process(PROCESS_NO_FILE) || now == reload_trouble_process(PROCESS_EMPTY) ||
	     now == reload_trouble_process(PROCESS_STALE)))
		return;
	va_start(arguments, format);
	vsnprintf(text, RELOAD_TEXT_SIZE, format, arguments);
	va_end(arguments);
	*kind = now;
	if (!known)
		log_warnx("dnsmasq: %s", text);
}

void reload_trouble_end(enum reload_trouble *kind, const char *text)
{
	if (*kind != RELOAD_WELL)
		log_info("dnsmasq: %s", text);
	*kind = RELOAD_WELL;
}

const char *reload_trouble_text(const struct reload *reload)
{
	if (reload->process_trouble != RELOAD_WELL)
		return reload->process_text;
	return reload->answer_trouble != RELOAD_WELL ? reload->answer_text : NULL;
}

static void serial_text(uint32_t serial, char out[ADDRESS_TEXT_SIZE])
{
	snprintf(out, ADDRESS_TEXT_SIZE, "%u.%u.%u.%u", serial >> 24, serial >> 16 & 255, serial >> 8 & 255,
		 serial & 255);
}

void reload_trouble_answer(struct reload *reload, enum reload_trouble kind)
{
	const struct conf_dnsmasq *conf = &reload->conf->dnsmasq;
	const char *server = conf->server != NULL ? conf->server : RELOAD_DEFAULT_INTERFACE "'s address";
	char wanted[ADDRESS_TEXT_SIZE], served[ADDRESS_TEXT_SIZE];
	enum reload_trouble *trouble = &reload->answer_trouble;
	char *text = reload->answer_text;

	serial_text(reload->wanted, wanted);
	serial_text(reload->served, served);
	switch (kind) {
	case RELOAD_NO_SERVER:
		reload_trouble_begin(trouble, kind, text,
				     "cannot be asked: " RELOAD_DEFAULT_INTERFACE
				     " has no IPv4 address (yet); without Docker "
				     "set dnsmasq.server to the address at which dnsmasq answers");
		break;
	case RELOAD_UNKNOWN_NAME:
		reload_trouble_begin(
			trouble, kind, text,
			"answers at %s port %u, but does not know %s: it does not read %s; add addn-hosts=%s to its "
			"configuration and restart it",
			server, conf->port, reload->name, conf->hosts_file, conf->hosts_file);
		break;
	case RELOAD_REFUSED:
		reload_trouble_begin(
			trouble, kind, text,
			"at %s port %u refuses the question for %s: does it read %s (addn-hosts=%s), and is this "
			"dnsmasq at all?",
			server, conf->port, reload->name, conf->hosts_file, conf->hosts_file);
		break;
	case RELOAD_OLD:
		reload_trouble_begin(trouble, kind, text,
				     "answers at %s port %u with serial %s instead of %s: it does not read %s anew; is "
				     "addn-hosts=%s in its configuration, may its user read the file, and is it the "
				     "one that pid file %s names?",
				     server, conf->port, served, wanted, conf->hosts_file, conf->hosts_file,
				     conf->pid_file);
		break;
	default:
		reload_trouble_begin(
			trouble, kind, text,
			"does not answer at %s port %u: is it listening there (listen-address, interface)? "
			"dnsmasq.server and dnsmasq.port say where it is asked",
			server, conf->port);
	}
}
