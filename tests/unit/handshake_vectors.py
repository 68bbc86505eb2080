#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Records handshakes between real Pythons for the unit test of the handshake.

    python3 handshake_vectors.py REFERENCE PEER... > handshake_vectors.h

REFERENCE is the Python (3.12 or newer) whose part mayfly plays in the test and which it must equal byte for byte, PEER
each Python that it talks to. Both run their own, unmodified multiprocessing.connection; only os.urandom is replaced, so
that the same interpreters give the same file. The header that is checked in was made with

    python3 handshake_vectors.py python3.13 python3.8 python3.11 python3.12 python3.13
"""
import hmac
import multiprocessing
import subprocess
import sys

PARTY = """
import hashlib, os, sys
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge

descriptor, half_order, key, seed = int(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3]), sys.argv[4]
digest = sys.argv[5:6]
os.urandom = lambda size: hashlib.sha512(seed.encode()).digest()[:size]
connection = Connection(descriptor)
for half in half_order:
    if half == "d":
        deliver_challenge(connection, key, *digest)
    else:
        answer_challenge(connection, key)
connection.close()
"""

KEYS = [b"mayfly", bytes(range(131))]  # and one with a NUL, longer than a block of SHA-384
SERVER, CLIENT, DELIVER, ANSWER = "da", "ad", "d", "a"
OTHER_END = {SERVER: CLIENT, CLIENT: SERVER, DELIVER: ANSWER, ANSWER: DELIVER}
ROLES = {SERVER: "SERVER", CLIENT: "CLIENT", DELIVER: "DELIVER", ANSWER: "ANSWER"}
DIGESTS = {"md5": "MF_MD5", "sha256": "MF_SHA256", "sha384": "MF_SHA384"}
CHALLENGE = b"#CHALLENGE#"


def start(python, role, key, seed, *digest):
    ours, theirs = multiprocessing.Pipe()
    command = [python, "-c", PARTY, str(theirs.fileno()), role, key.hex(), seed, *digest]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    theirs.close()
    return process, ours


def record(reference, peer, role, key, digest, number):
    """The messages of one handshake, in which the reference has the role."""
    process, one = start(reference, role, key, "reference %d" % number)
    peer_process, other = start(peer, OTHER_END[role], key, "peer %d" % number, *digest)
    messages = []
    for half in role:
        challenger, answerer = (one, other) if half == "d" else (other, one)
        for sender, receiver in (challenger, answerer), (answerer, challenger), (challenger, answerer):
            messages.append(sender.recv_bytes())
            receiver.send_bytes(messages[-1])
    assert process.wait() == 0 and peer_process.wait() == 0
    return messages


def macs_of(key, messages):
    """(digest, key, data, mac) of each half, made once more to be sure."""
    for challenge, answer in zip(messages[0::3], messages[1::3]):
        data = challenge[len(CHALLENGE):]
        digest = "md5" if len(answer) == 16 else answer[1:answer.index(b"}")].decode()
        mac = answer if len(answer) == 16 else answer[answer.index(b"}") + 1:]
        assert hmac.new(key, data, digest).digest() == mac
        yield digest, key, data, mac


def version(python):
    return subprocess.check_output([python, "-c", "import platform; print(platform.python_version())"], text=True).strip()


def quoted(data, margin):
    digits = data.hex()
    pieces = [digits[i:i + 100] for i in range(0, len(digits), 100)]
    return ("\n" + margin).join('"%s"' % piece for piece in pieces)


def main(reference, *peers):
    recordings = [(peer, role, key, ()) for peer in peers for role in (SERVER, CLIENT) for key in KEYS]
    recordings += [(reference, ANSWER, key, (digest,)) for digest in DIGESTS for key in KEYS]
    recordings += [(peer, DELIVER, key, ()) for peer in peers for key in KEYS]

    print("/* SPDX-License-Identifier: MIT */")
    print("/* handshake_vectors.h - handshakes between real Pythons, made by handshake_vectors.py. */")
    print("/* clang-format off */")
    print("#define REFERENCE \"Python %s\"" % version(reference))
    print("\nstatic const struct {\n  const char *peer;\n  enum mf_handshake_role role;\n"
          "  const char *key;\n  const char *messages[6];\n} recordings[] = {")
    macs = {}
    for number, (peer, role, key, digest) in enumerate(recordings):
        messages = record(reference, peer, role, key, digest, number)
        macs.update(dict.fromkeys(macs_of(key, messages)))
        print('  {"Python %s", MF_HANDSHAKE_%s,' % (version(peer), ROLES[role]))
        print("   %s,\n   {%s}}," % (quoted(key, "   "), ",\n    ".join(quoted(message, "     ") for message in messages)))
    print("};\n\nstatic const struct {\n  enum mf_digest digest;\n  const char *key;\n  const char *data;\n"
          "  const char *mac;\n} macs[] = {")
    for digest, key, data, mac in macs:
        print("  {%s,\n   %s,\n   %s,\n   %s}," % (DIGESTS[digest], *(quoted(part, "   ") for part in (key, data, mac))))
    print("};")


main(*sys.argv[1:])
