#ifndef CALLSIGN_CREDENTIAL_H
#define CALLSIGN_CREDENTIAL_H

/*
 * Under systemd the emitter runs as a user that exists only meanwhile, who may read nothing of root's; what is in CREDENTIAL_FOLDER is handed to it
 * as copies (systemd.exec(5), LoadCredential=callsign:/etc/callsign). The configuration names files as they lie on the machine all the same.
 */
#define CREDENTIAL_FOLDER "/etc/callsign/"
#define CREDENTIAL_ID "callsign"
#define CREDENTIAL_PATH_SIZE 4096

/*
 * Where to read path: path itself, or, if we may not read that, it is below CREDENTIAL_FOLDER and a copy was handed to us, the copy; then that is in out.
 * The environment's CREDENTIALS_DIRECTORY says where copies are.
 */
const char *credential_path(const char *path, char out[CREDENTIAL_PATH_SIZE]);

#endif
