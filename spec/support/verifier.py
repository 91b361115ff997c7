"""verifier.py KEYS MESSAGE...: what dkimpy says of each signature of each message, a line each: the message's number, its
selector, its domain, pass or fail. KEYS is a file with lines "name record"."""
import sys

import dkim


def records(path):
    with open(path) as lines:
        return dict(line.rstrip("\n").split(" ", 1) for line in lines)


keys = records(sys.argv[1])


def lookup(name, timeout=5):
    return keys.get(name.decode().rstrip("."), "").encode() or None


def verdict(message, index):
    try:
        return "pass" if message.verify(idx=index, dnsfunc=lookup) else "fail"
    except dkim.DKIMException:
        return "fail"


for number, path in enumerate(sys.argv[2:], 1):
    with open(path, "rb") as file:
        message = dkim.DKIM(file.read())
    fields = [value for name, value in message.headers if name.lower() == b"dkim-signature"]
    for index, field in enumerate(fields):
        tags = dkim.util.parse_tag_value(field)
        print(number, tags[b"s"].decode(), tags[b"d"].decode(), verdict(message, index))
