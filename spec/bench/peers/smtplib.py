"""smtplib: Python's. The ready message over one kept connection; or a connection a mail.

    smtplib.py port= ca= message= mails= warm= recipients= mode=warm|cold [user=] [scheme=smtps|smtp]
"""
import os
import resource
import sys
import time

# This file has the name of what it wants.
sys.path = [p for p in sys.path if os.path.realpath(p or ".") != os.path.dirname(os.path.realpath(__file__))]
import smtplib  # noqa: E402
import ssl  # noqa: E402

settings = dict(word.split("=", 1) for word in sys.argv[1:])
port = int(settings["port"])
tls = ssl.create_default_context(cafile=settings["ca"])
message = open(settings["message"], "rb").read()
to = ["user%d@sink.test" % (i + 1) for i in range(int(settings.get("recipients", 1)))]


def cpu():
    r = resource.getrusage(resource.RUSAGE_SELF)
    return r.ru_utime + r.ru_stime


def dial():
    if settings.get("scheme", "smtps") == "smtps":
        s = smtplib.SMTP_SSL("localhost", port, "client.test", context=tls)
    else:
        s = smtplib.SMTP("localhost", port, "client.test")
        s.starttls(context=tls)
    if "user" in settings:
        s.user, s.password = settings["user"], "secret"
        s.ehlo_or_helo_if_needed()
        s.auth("PLAIN", s.auth_plain)
    return s


kept = None


def send(n):
    global kept
    for _ in range(n):
        s = kept or dial()
        s.sendmail("bench@client.test", to, message)
        if settings.get("mode") == "cold":
            s.quit()
        else:
            kept = s


mails = int(settings["mails"])
send(int(settings["warm"]))
cpu_before, wall_before = cpu(), time.monotonic()
send(mails)
print("mails=%d cpu=%.6f wall=%.6f" % (mails, cpu() - cpu_before, time.monotonic() - wall_before))
if kept:
    kept.quit()
