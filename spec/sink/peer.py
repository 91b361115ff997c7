#!/usr/bin/python3
"""peer.py PORT CA_FILE STEP...: a client that sends what it is told, byte for byte, and shares nothing with smtpsec.

Does one step after the other and prints a line for each that has something to say:
tls (a handshake, verified for localhost), send TEXT (with Python's escapes), reply (reads a reply: its lines, joined
by |), lap (seconds since the last lap), sleep SECONDS, end (reads until the connection ends:
what came, and how it ended), close.
"""
import socket
import ssl
import sys
import time

port, ca_file, steps = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
sock = socket.create_connection(("127.0.0.1", port), 20)
context = ssl.create_default_context(cafile=ca_file or None)
held = b""
since = time.monotonic()


def read(size=4096):
    global held
    if held:
        data, held = held[:size], held[size:]
        return data
    return sock.recv(size)


def line():
    global held
    while b"\r\n" not in held:
        data = sock.recv(4096)
        if not data:
            raise EOFError
        held += data
    first, held = held.split(b"\r\n", 1)
    return first.decode("utf-8", "replace")


def reply():
    lines = [line()]
    while lines[-1][3:4] == "-":
        lines.append(line())
    return "|".join(lines)


def until_end():
    data = b""
    try:
        while True:
            more = read()
            if not more:
                return repr(data.decode("latin-1")) + " end"
            data += more
    except (OSError, ssl.SSLError) as error:
        return repr(data.decode("latin-1")) + " " + type(error).__name__


def lap():
    global since
    before, since = since, time.monotonic()
    return "%.2f" % (since - before)


for step in steps:
    verb, _, rest = step.partition(" ")
    try:
        if verb == "tls":
            sock = context.wrap_socket(sock, server_hostname="localhost")
            print(sock.version(), flush=True)
        elif verb == "send":
            sock.sendall(rest.encode("latin-1").decode("unicode_escape").encode("latin-1"))
        elif verb == "reply":
            print(reply(), flush=True)
        elif verb == "lap":
            print(lap(), flush=True)
        elif verb == "sleep":
            time.sleep(float(rest))
        elif verb == "end":
            print(until_end(), flush=True)
        elif verb == "close":
            sock.close()
    except (OSError, EOFError, ssl.SSLError) as error:
        print(type(error).__name__, flush=True)
        break
