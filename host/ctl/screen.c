#include <config.h>

#include "screen.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l\033[H\033[2J" /* the other screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"

static struct {
	bool open;
	bool keys; /* standard input is a terminal too */
	struct termios before;
	int signals;
} screen = {.signals = -1};

static void put(const char *text, size_t length)
{
	while (length > 0) {
		ssize_t written = write(STDOUT_FILENO, text, length);

		if (written == -1 && errno != EINTR)
			return; /* a terminal that went away shows nothing any more */
		if (written > 0) {
			text += written;
			length -= (size_t)written;
		}
	}
}

static void enter(void)
{
	struct termios raw = screen.before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (screen.keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	put(ENTER, strlen(ENTER));
}

static void leave(void)
{
	put(LEAVE, strlen(LEAVE));
	if (screen.keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &screen.before);
}

int screen_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGWINCH);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1 || (screen.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) == -1)
		return -1;
	screen.keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &screen.before) == 0;
	screen.open = true;
	if (atexit(screen_close) != 0)
		return -1;
	enter();
	return 0;
}

void screen_close(void)
{
	if (!screen.open)
		return;
	screen.open = false;
	leave();
	close(screen.signals);
}

int screen_signal_fd(void)
{
	return screen.signals;
}

int screen_key_fd(void)
{
	return screen.keys ? STDIN_FILENO : -1;
}

/* Stopped by ^Z: the shell gets its terminal as it was; we take it again when we go on. */
static void stop(void)
{
	leave();
	raise(SIGSTOP);
	enter();
}

enum screen_event screen_signal(void)
{
	struct signalfd_siginfo info;
	enum screen_event event = SCREEN_NOTHING;

	while (read(screen.signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGTSTP)
			stop();
		if (info.ssi_signo != SIGTSTP && info.ssi_signo != SIGWINCH)
			return SCREEN_END;
		event = SCREEN_RESIZED;
	}
	return event;
}

enum screen_event screen_key(char *key)
{
	ssize_t got = read(STDIN_FILENO, key, 1);

	if (got == 1)
		return SCREEN_KEY;
	return got == 0 || errno == EIO ? SCREEN_END : SCREEN_NOTHING;
}

void screen_size(unsigned *columns, unsigned *lines)
{
	struct winsize size;

	*columns = 80;
	*lines = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return;
	*columns = size.ws_col > 0 ? size.ws_col : 80;
	*lines = size.ws_row > 0 ? size.ws_row : 24;
}

void screen_draw(const char *text, unsigned long length)
{
	put("\033[H", 3);
	put(text, length);
	put("\033[J", 3);
}
