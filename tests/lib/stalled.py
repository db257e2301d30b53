#!/usr/bin/python3
"""A file system that answers nothing, as NFS does whose server is away: mount it at FOLDER and hold it until the end of this process, which ends every
wait for it with an error. Usage: stalled.py FOLDER. Says "mounted"; exit status 77 where there is no FUSE."""
import ctypes
import os
import signal
import sys

MS_NOSUID_NODEV = 2 | 4
MNT_DETACH = 2

folder = os.fsencode(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
try:
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
except OSError as error:
    print("no FUSE:", error, file=sys.stderr)
    sys.exit(77)
options = b"fd=%d,rootmode=40000,user_id=0,group_id=0" % device
if libc.mount(b"stalled", folder, b"fuse", MS_NOSUID_NODEV, options) != 0:
    print("cannot mount:", os.strerror(ctypes.get_errno()), file=sys.stderr)
    sys.exit(77)
print("mounted", flush=True)
signal.sigwait({signal.SIGTERM, signal.SIGINT})
os.close(device)
libc.umount2(folder, MNT_DETACH)
