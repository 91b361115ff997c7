# Counts how often the words of a login by PLAIN stand in the memory of a process: between NULs, and that in base64.
# Neither is ever written down by the process itself, nor by who starts this. Prints the two numbers.
import base64
import sys

pid, user, password = sys.argv[1], sys.argv[2].encode(), sys.argv[3].encode()
plain = b"\0" + user + b"\0" + password
LARGEST = 1 << 30  # a sanitizer's shadow is larger, and holds nothing of what is in memory
needles = [plain, base64.b64encode(plain).rstrip(b"=")[:-1]]
counts = [0, 0]
with open("/proc/%s/maps" % pid) as maps, open("/proc/%s/mem" % pid, "rb", 0) as memory:
    for line in maps:
        bounds, permissions = line.split()[:2]
        if not permissions.startswith("rw"):
            continue
        start, end = (int(bound, 16) for bound in bounds.split("-"))
        if end - start > LARGEST:
            continue
        while start < end:
            try:
                memory.seek(start)
                piece = memory.read(min(end - start, 1 << 24))
            except (OSError, ValueError, OverflowError):
                break
            if not piece:
                break
            for i, needle in enumerate(needles):
                counts[i] += piece.count(needle)
            start += len(piece)
print(*counts)
