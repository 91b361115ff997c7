"""judge: reads what smtpsec made with Python's `email`, `base64` and `quopri`, which share no code with it.

    judge.py message FILE...            each file a message
    judge.py base64 FILE...             each file an encoded body
    judge.py quoted-printable FILE...

Prints one Lua expression: a list with an entry for each file, for judge.lua to load.
"""
import base64
import email
import email.header
import email.policy
import email.utils
import quopri
import sys


def lua(value):
    """A value as a Lua expression."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if isinstance(value, (bytes, bytearray)):
        plain = set(range(32, 127)) - {34, 92}
        return '"' + "".join(chr(c) if c in plain else "\\%03d" % c for c in value) + '"'
    if isinstance(value, dict):
        return "{" + ",".join("[%s]=%s" % (lua(k), lua(v)) for k, v in value.items() if v is not None) + "}"
    return "{" + ",".join(lua(v) for v in value) + "}"


def defects(thing):
    return [type(d).__name__ + ": " + str(d) for d in thing]


def display_name(address, plain):
    """Python 3.11's header parser puts a space between adjacent encoded words of a name; its older one does not."""
    return str(email.header.make_header(email.header.decode_header(plain))) if "=?" in plain else address.display_name


def addresses(message):
    found = {}
    for name in ("From", "Sender", "Reply-To", "To", "Cc", "Bcc"):
        if message[name] is not None:
            raw = [value for key, value in message.raw_items() if key == name]
            plain = email.utils.getaddresses(["".join(raw[0].splitlines())])
            found[name] = [
                {"name": display_name(a, p[0]), "address": a.addr_spec}
                for a, p in zip(message[name].addresses, plain)
            ]
    return found


def part(node, depth):
    content = text = None
    disposition = node["Content-Disposition"]
    if node.get_content_type() == "message/rfc822":
        content = node.get_payload(0).as_bytes(policy=email.policy.SMTP.clone(cte_type="8bit"))
    elif not node.is_multipart():
        content = node.get_payload(decode=True)
        if node.get_content_maintype() == "text":
            text = content.decode(node.get_content_charset("utf-8"), "replace")
    return {
        "depth": depth,
        "type": node.get_content_type(),
        "encoding": str(node["Content-Transfer-Encoding"] or "7bit"),
        "parameters": dict(node["Content-Type"].params) if node["Content-Type"] else {},
        "disposition": node.get_content_disposition(),
        "filename": disposition.params.get("filename") if disposition else None,
        "cid": str(node["Content-ID"]) if node["Content-ID"] else None,
        "content": content,
        "text": text,
    }


def walk(node, depth=0):
    yield node, depth
    if node.is_multipart():
        for child in node.get_payload():
            yield from walk(child, depth + 1)


def message(data):
    parsed = email.message_from_bytes(data, policy=email.policy.SMTP)
    found, parts = [], []
    for node, depth in walk(parsed):
        found += defects(node.defects)
        for name in node.keys():
            for value in node.get_all(name):
                found += [name + ": " + d for d in defects(value.defects)]
        parts.append(part(node, depth))
    date = parsed["Date"].datetime if parsed["Date"] else None
    return {
        "defects": found,
        "fields": [[name, str(value)] for name, value in parsed.items()],
        "addresses": addresses(parsed),
        "subject": str(parsed["Subject"]) if parsed["Subject"] is not None else None,
        "date": date.timestamp() if date else None,
        "zone": date.utcoffset().total_seconds() if date and date.utcoffset() is not None else None,
        "parts": parts,
    }


READ = {"message": message, "base64": base64.b64decode, "quoted-printable": quopri.decodestring}


def main(what, *paths):
    results = []
    for path in paths:
        with open(path, "rb") as file:
            results.append(READ[what](file.read()))
    sys.stdout.write("return " + lua(results) + "\n")


main(*sys.argv[1:])
