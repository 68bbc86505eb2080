# SPDX-License-Identifier: MIT
"""peer.py [FD MODE]: does with multiprocessing.connection what the lines on its standard input say, and says by one
line each on its standard output what came of it. The module is Python's own, untouched.

FD: a descriptor that this process was born with and that becomes its connection; MODE is of r and w."""

import hmac
import multiprocessing.connection
import multiprocessing.reduction
import os
import socket
import struct
import sys
import types

BLOCK = bytes(range(251)) * 4096
OBJECT = {'name': 'mayfly', 'numbers': [1, 2.5, -3], 'nested': ({'a'}, b'bytes', None, True)}


def address_from(text):
    """The address that mayfly writes as this text."""
    if text.startswith('@'):
        return '\0' + text[1:]
    if text.startswith('\\\\'):
        return text
    if '/' not in text:
        host, _, port = text.rpartition(':')
        return host, int(port)
    return text


def text_from(address):
    """What mayfly writes for this address."""
    if isinstance(address, tuple):
        return '%s:%d' % address
    if isinstance(address, bytes):
        address = address.decode()
    return address.replace('\0', '@', 1)


def key_from(text):
    return None if text == '-' else bytes.fromhex(text)


def say(line):
    print(line, flush=True)


def attempt(action, *arguments):
    """What came of it, as a line."""
    try:
        return action(*arguments)
    except Exception as error:
        if isinstance(error, multiprocessing.BufferTooShort):
            return 'too short for ' + describe(error.args[0])
        return 'raised %s: %s' % (type(error).__name__, error)


def pattern(size):
    return (BLOCK * (size // len(BLOCK) + 1))[:size]


def is_pattern(message):
    steps = range(0, len(message), len(BLOCK))
    return all(message[at:at + len(BLOCK)] == BLOCK[:len(message) - at] for at in steps)


def describe(message):
    return 'message %d %s' % (len(message), 'whole' if is_pattern(message) else 'of other content')


def receive(here):
    return describe(here.connection.recv_bytes())


def receive_at_most(here, size):
    return describe(here.connection.recv_bytes(int(size)))


def receive_into(here, size):
    buffer = bytearray(int(size))
    received = here.connection.recv_bytes_into(buffer)
    return describe(bytes(buffer[:received]))


def receive_text(here):
    return 'text ' + here.connection.recv_bytes().decode()


def receive_numbered(here, count):
    messages = [int(here.connection.recv_bytes()) for _ in range(int(count))]
    return '%d in order' % len(messages) if messages == list(range(int(count))) else 'out of order'


def share(here, lock):
    """Receives in turns with other processes until the end, and tells of each message: its number, if it is whole."""
    import fcntl  # which Windows lacks
    count = 0
    with open(lock) as lock:
        while True:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                message = here.connection.recv_bytes()
            except EOFError:
                return 'shared %d' % count
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)
            number, rest = struct.unpack('=I', message[:4])[0], message[4:]
            say('%d' % number if is_pattern(rest) and len(rest) == number * 37 % 5000 else 'broken %d' % number)
            count += 1


def receive_object(here):
    return 'the object' if here.connection.recv() == OBJECT else 'another object'


def send(here, size):
    here.connection.send_bytes(pattern(int(size)))
    return 'sent'


def send_text(here, *words):
    here.connection.send_bytes(' '.join(words).encode())
    return 'sent'


def send_numbered(here, count):
    for number in range(int(count)):
        here.connection.send_bytes(b'%d' % number)
    return 'sent'


def send_object(here):
    here.connection.send(OBJECT)
    return 'sent ' + bytes(multiprocessing.reduction.ForkingPickler.dumps(OBJECT)).hex()


def write(here, text):
    """Bytes as they are, which need not be a message."""
    here.connection._send(bytes.fromhex(text))
    return 'written'


def echo(here):
    """Every message goes back, until the end of the stream."""
    count = 0
    whole = True
    while True:
        try:
            message = here.connection.recv_bytes()
        except EOFError:
            return 'echoed %d %s' % (count, 'whole' if whole else 'of other content')
        whole = whole and is_pattern(message)
        here.connection.send_bytes(message)
        count += 1


def poll(here, seconds):
    return 'poll %s' % here.connection.poll(float(seconds))


def wait(here, seconds):
    ready = multiprocessing.connection.wait([here.connection], float(seconds))
    return 'ready' if ready == [here.connection] else 'not ready'


def deliver_challenge(here, key, *digest):
    multiprocessing.connection.deliver_challenge(here.connection, key_from(key), *digest)
    return 'delivered'


def answer_challenge(here, key):
    multiprocessing.connection.answer_challenge(here.connection, key_from(key))
    return 'answered'


def give_pipe(here, text):
    """The reading end of one of Python's own pipes, into which something was written."""
    reader, writer = multiprocessing.Pipe(False)
    multiprocessing.reduction.send_handle(here.connection, reader.fileno(), os.getppid())
    reader.close()
    writer.send_bytes(text.encode())
    writer.close()
    return 'given'


def give_three(here):
    """More than was asked for."""
    with socket.fromfd(here.connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as carrier:
        multiprocessing.reduction.sendfds(carrier, [here.connection.fileno()] * 3)
    return 'given'


def take_pipe(here, text):
    """What was received becomes a connection, which says something."""
    handle = multiprocessing.reduction.recv_handle(here.connection)
    with multiprocessing.connection.Connection(handle, readable=False) as writer:
        writer.send_bytes(text.encode())
    return 'taken'


def connect(here, address, key):
    here.connection = multiprocessing.connection.Client(address_from(address), authkey=key_from(key))
    return 'connected'


def connect_hastily(here, address, key):
    """Proves the key to each other, but says what comes next without awaiting the answer to what came before."""
    def frames(*messages):
        return b''.join(struct.pack('!i', len(message)) + message for message in messages)
    here.connection = multiprocessing.connection.Client(address_from(address))
    challenge = here.connection.recv_bytes()[len('#CHALLENGE#'):]
    proof = b'{sha256}' + hmac.new(key_from(key), challenge, 'sha256').digest()
    here.connection._send(frames(proof, b'#CHALLENGE#{sha256}of-twenty-bytes-or-more'))
    verdict, answer = here.connection.recv_bytes(), here.connection.recv_bytes()
    here.connection._send(frames(b'#WELCOME#', b'in haste'))
    return verdict.decode()


def listen(here, family, address, key):
    here.listener = multiprocessing.connection.Listener(address_from(address), family, authkey=key_from(key))
    return 'listening ' + text_from(here.listener.address)


def accept(here):
    here.connection = here.listener.accept()
    return 'accepted'


def last_accepted(here):
    return 'last accepted %s' % text_from(here.listener.last_accepted)


def reset(here):
    """Closes without a goodbye."""
    with socket.socket(fileno=os.dup(here.connection.fileno())) as twin:
        twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    here.connection.close()
    return 'reset'


def close(here):
    here.connection.close()
    return 'closed'


def stop_listening(here):
    here.listener.close()
    return 'stopped'


def inherit(fd, mode):
    return multiprocessing.connection.Connection(int(fd), readable='r' in mode, writable='w' in mode)


COMMANDS = {function.__name__: function for function in (
    connect, connect_hastily, listen, accept, last_accepted, stop_listening, receive, receive_at_most, receive_into, receive_text,
    receive_numbered, receive_object, share, send, send_text, send_numbered, send_object, write, echo, poll, wait,
    deliver_challenge, answer_challenge, give_pipe, give_three, take_pipe, reset, close)}

here = types.SimpleNamespace(connection=inherit(*sys.argv[1:]) if sys.argv[1:] else None, listener=None)
for line in sys.stdin:
    name, *arguments = line.split()
    say(attempt(COMMANDS[name], here, *arguments))
