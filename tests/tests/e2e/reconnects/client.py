"""A client that reconnects with exponential back-off and says what it saw: the truth of the tests.

    client.py plain|libpq ADDRESS PORT FIRST FACTOR LONGEST PATIENCE

FIRST, FACTOR and LONGEST are the back-off, PATIENCE is how long an attempt may take; seconds. One JSON object
a line, times in ns of CLOCK_BOOTTIME:

    {"did": "attempt", "pid", "begin": [before, after], "end": [before, after], "errno"}
    {"did": "lost", "pid", "at", "errno"}

`errno` of an attempt is 0 when it is established and null when it is given up, of a loss 0 at the end of the stream.
"""

import ctypes
import errno
import json
import os
import select
import socket
import sys
import time


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def say(**what):
    print(json.dumps({"pid": os.getpid(), **what}), flush=True)


def wait(fd, events, patience):
    """True when the descriptor is ready in time."""
    poll = select.poll()
    poll.register(fd, events)
    return bool(poll.poll(None if patience is None else patience * 1000))


class Plain:
    """A TCP connection."""

    def attempt(self, address, port, patience):
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.socket.setblocking(False)
        call = now()
        error = self.socket.connect_ex((address, port))
        back = now()
        if error == errno.EINPROGRESS:
            error = self.result() if wait(self.socket, select.POLLOUT, patience) else None
        known = now()
        if error != 0:
            self.socket.close()
        # An attempt that is given up ends while it is closed.
        end = [call, known] if error is not None else [known, now()]
        say(did="attempt", begin=[call, back], end=end, errno=error)
        return error == 0

    def result(self):
        return self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def watch(self):
        """Waits until the connection is lost."""
        error = 0
        try:
            wait(self.socket, select.POLLIN, None)
            while self.socket.recv(4096):
                wait(self.socket, select.POLLIN, None)
        except OSError as e:
            error = e.errno
        known = now()
        self.socket.close()
        say(did="lost", at=known, errno=error)


class Libpq:
    """A connection of PostgreSQL's own client library, by PQconnectStart and PQconnectPoll."""

    OK, BAD = 0, 1
    FAILED, READING, WRITING, DONE = 0, 1, 2, 3

    def __init__(self):
        self.pq = ctypes.CDLL("libpq.so.5")
        self.pq.PQconnectStart.restype = ctypes.c_void_p
        self.pq.PQerrorMessage.restype = ctypes.c_char_p
        self.connection = None

    def call(self, name):
        return getattr(self.pq, name)(ctypes.c_void_p(self.connection))

    def attempt(self, address, port, patience):
        settings = f"host={address} port={port} user=postgres dbname=postgres connect_timeout=10"
        call = now()
        self.connection = self.pq.PQconnectStart(settings.encode())
        back = known = now()
        step = self.WRITING
        while step in (self.READING, self.WRITING):
            events = select.POLLOUT if step == self.WRITING else select.POLLIN
            if not wait(self.call("PQsocket"), events, patience):
                sys.exit("PostgreSQL does not answer")
            # The handshake of TCP is over when the descriptor is ready for the first time.
            known = now() if known == back else known
            step = self.call("PQconnectPoll")
        message = self.call("PQerrorMessage").decode()
        refused = step == self.FAILED and os.strerror(errno.ECONNREFUSED) in message
        say(did="attempt", begin=[call, back], end=[call, known], errno=errno.ECONNREFUSED if refused else 0)
        if step == self.FAILED:
            self.call("PQfinish")
        if step == self.FAILED and not refused:
            # The server took the connection only to say that it is not ready.
            say(did="lost", at=now(), errno=0, message=message)
        return step == self.DONE

    def watch(self):
        while self.call("PQstatus") == self.OK:
            wait(self.call("PQsocket"), select.POLLIN, None)
            self.call("PQconsumeInput")
            # What the server says before it goes is a result of no query: to be taken, or the end stays unseen.
            self.call("PQisBusy")
        known = now()
        message = self.call("PQerrorMessage").decode()
        self.call("PQfinish")
        say(did="lost", at=known, errno=0, message=message)


def main():
    kind, address, port = sys.argv[1:4]
    first, factor, longest, patience = map(float, sys.argv[4:8])
    connection = {"plain": Plain, "libpq": Libpq}[kind]()
    delay = first
    while True:
        if connection.attempt(address, int(port), patience):
            connection.watch()
            delay = first
        time.sleep(delay)
        delay = min(delay * factor, longest)


main()
