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
import quopri
import re
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


# RFC 6532: what this parser calls defects where a header holds UTF-8 that it may hold.
INTERNATIONAL = ("NonASCIILocalPartDefect", "UndecodableBytesDefect")


def defects(thing, forgiven=()):
    names = [type(d).__name__ for d in thing]
    return [name + ": " + str(d) for name, d in zip(names, thing) if name not in forgiven]


def is_international(data):
    section = data.split(b"\r\n\r\n")[0]
    try:
        return not section.isascii() and bool(section.decode())
    except UnicodeDecodeError:
        return False


PEOPLE = ("From", "Sender", "Reply-To", "To", "Cc", "Bcc")
WORD = r"=\?[^? ]+\?[BbQq]\?[^? ]*\?="
WORDS = re.compile(WORD + r"(?:\s+" + WORD + ")*")


def mailboxes(policy, name, raw, field):
    """The mailboxes of a field, those of its groups among them, and its groups. Python 3.11's header parser puts spaces
    between adjacent encoded words of a name, and loses some inside; its older one does not, so that decodes them."""
    words = []

    def keep(run):
        words.append(str(email.header.make_header(email.header.decode_header(run[0]))))
        return "encoded-words-%d" % (len(words) - 1)

    def decoded(display_name):
        return re.sub(r"encoded-words-(\d+)", lambda number: words[int(number[1])], display_name)

    if "=?" in raw:
        field = policy.header_fetch_parse(name, WORDS.sub(keep, raw))
    boxes = [{"name": decoded(a.display_name), "address": a.addr_spec} for a in field.addresses]
    named = [g for g in field.groups if g.display_name is not None]
    return boxes, [{"name": decoded(g.display_name), "members": len(g.addresses)} for g in named]


def people(message, items):
    addresses, groups = {}, {}
    for (name, raw), (_, field) in zip(message.raw_items(), items):
        if name in PEOPLE:
            addresses[name], named = mailboxes(message.policy, name, raw, field)
            if named:
                groups[name] = named
    return addresses, groups


UNTOUCHED = email.policy.SMTP.clone(cte_type="8bit", refold_source="none")


def part(node, depth):
    content = text = None
    disposition = node["Content-Disposition"]
    if node.get_content_type() == "message/rfc822":
        content = node.get_payload(0).as_bytes(policy=UNTOUCHED)
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
    found, parts, forgiven = [], [], INTERNATIONAL if is_international(data) else ()
    for node, depth in walk(parsed):
        found += defects(node.defects)
        items = node.items()
        for name, value in items:
            found += [name + ": " + d for d in defects(value.defects, forgiven)]
        if node is parsed:
            fields = items
        parts.append(part(node, depth))
    addresses, groups = people(parsed, fields)
    date = parsed["Date"].datetime if parsed["Date"] else None
    return {
        "defects": found,
        "fields": [[name, str(value)] for name, value in fields],
        "addresses": addresses,
        "groups": groups,
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
            results.append("(function() return %s end)()" % lua(READ[what](file.read())))
    # Each in a function of its own, because LuaJIT bounds the constants that one may have.
    sys.stdout.write("return {" + ",\n".join(results) + "}\n")


main(*sys.argv[1:])
