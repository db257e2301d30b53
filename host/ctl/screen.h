#ifndef CALLSIGN_CTL_SCREEN_H
#define CALLSIGN_CTL_SCREEN_H

#include <stdbool.h>

/*
 * The whole terminal, taken for a while and given back as it was: at the end, on every signal that ends or stops the program, and by exit(). Signals
 * and keys come through descriptors.
 */
enum screen_event {
	SCREEN_NOTHING,
	SCREEN_RESIZED, /* also when the program goes on after it was stopped: draw everything */
	SCREEN_KEY,
	SCREEN_END      /* a signal that ends programs */
};

int screen_open(void); /* 0, or -1 with errno */
void screen_close(void);

/* To poll for reading: signals and keys. */
int screen_signal_fd(void);
int screen_key_fd(void);

enum screen_event screen_signal(void);
enum screen_event screen_key(char *key);

void screen_size(unsigned *columns, unsigned *lines);

/* Draw text (lines that end in SCREEN_EOL) from the top; the rest of the screen is cleared. In one write, so that it does not flicker. */
#define SCREEN_EOL "\033[K\r\n"
void screen_draw(const char *text, unsigned long length);

#endif
