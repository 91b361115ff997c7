"""digest.py USER REALM PASSWORD NONCE CNONCE URI: the proofs of DIGEST-MD5 (RFC 2831 section 2.1.2.1) of the client and
of the server, worked out by another hand than the library's."""
import hashlib
import os
import sys


def h(data):
    return hashlib.md5(data)


def latin(data):
    """What fits ISO 8859-1 is hashed as such."""
    try:
        return data.decode("utf-8").encode("latin-1")
    except UnicodeError:
        return data


user, realm, password, nonce, cnonce, uri = [os.fsencode(word) for word in sys.argv[1:]]
a1 = h(b":".join([latin(user), latin(realm), latin(password)])).digest() + b":" + nonce + b":" + cnonce


def proof(a2):
    secret, what = h(a1).hexdigest().encode(), h(a2 + uri).hexdigest().encode()
    return h(b":".join([secret, nonce, b"00000001", cnonce, b"auth", what])).hexdigest()


print(proof(b"AUTHENTICATE:"), proof(b":"))
