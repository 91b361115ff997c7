#!/usr/bin/python3
"""reference_client.py PORT CA_FILE STEP...: an SMTP client that shares nothing with smtpsec.

Does one step after the other and prints each reply's code and text, line breaks as spaces, on a line of its own:
tls (implicit TLS; comes first, then the greeting), connect (the greeting), starttls, auth USER PASSWORD (PLAIN),
message ID (DATA with a small mail), or any other command as it is. Certificates are verified for mail.example.test.
"""
import base64
import smtplib
import socket
import ssl
import sys

port, ca_file, steps = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
context = ssl.create_default_context(cafile=ca_file)
name = "mail.example.test"
client = smtplib.SMTP(timeout=20)
client._host = name


def connect(tls):
    client.sock = socket.create_connection(("127.0.0.1", port), 20)
    if tls:
        client.sock = context.wrap_socket(client.sock, server_hostname=name)
    return client.getreply()


def do(step):
    verb, _, rest = step.partition(" ")
    if verb in ("connect", "tls"):
        return connect(verb == "tls")
    if verb == "starttls":
        return client.starttls(context=context)
    if verb == "auth":
        plain = ("\0" + rest.replace(" ", "\0")).encode()
        return client.docmd("AUTH PLAIN " + base64.b64encode(plain).decode())
    if verb == "message":
        return client.data(f"Message-ID: {rest}\r\nSubject: try\r\n\r\nBody of the mail.\r\n.two dots?\r\n")
    client.putcmd(step)
    return client.getreply()


for each in steps:
    code, text = do(each)
    print(code, text.decode("utf-8", "replace").replace("\n", " "), flush=True)
client.close()
