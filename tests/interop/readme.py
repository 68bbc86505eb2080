# SPDX-License-Identifier: MIT
"""What the README shows of Python and of the command line, as it stands there.

  readme.py client README ADDRESS   the Python client, which connects to ADDRESS instead
  readme.py session README TOOL     the command line, typed into a shell; TOOL is mayfly(1)"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile


def client(page, address):
    code = re.search(r'^```python\n(.*?)^```', page, re.MULTILINE | re.DOTALL).group(1)
    exec(code.replace('/run/user/1000/answer.sock', address))


def commands_of(page):
    """Each command, and the lines that it prints."""
    section = page.split('\n## From the command line\n')[1].split('\n## ')[0]
    commands = []
    for line in re.findall(r'^    (.*)$', section, re.MULTILINE):
        if line.startswith('$ '):
            commands.append((line[2:], []))
        else:
            commands[-1][1].append(line)
    return commands


def same_names(line):
    return re.sub(r'tmp[a-z0-9_]{8}', 'tmpNAME', line)


def session(page, tool):
    """In a folder instead of /tmp. A command in the background is waited for by what it prints."""
    folder = tempfile.mkdtemp()
    bin = os.path.join(folder, 'bin')
    os.mkdir(bin)
    os.symlink(tool, os.path.join(bin, 'mayfly'))
    with open(os.path.join(folder, 'names.txt'), 'w') as names:
        names.write('Wilma\nFred\nBetty\n')
    environment = dict(os.environ, TMPDIR=folder, PATH=bin + os.pathsep + os.environ['PATH'])
    shell = subprocess.Popen(['sh'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, env=environment,
                             universal_newlines=True, start_new_session=True)
    try:
        for command, printed in commands_of(page):
            print('$ ' + command, flush=True)
            shell.stdin.write(command.replace('/tmp/', folder + '/') + '\n')
            shell.stdin.flush()
            for line in printed:
                said = shell.stdout.readline().rstrip('\n').replace(folder + '/', '/tmp/')
                assert same_names(said) == same_names(line), 'it printed "%s"' % said
        rest, _ = shell.communicate("trap '' TERM; kill 0; wait\n")  # all but the shell itself
        assert rest == '', 'it also printed "%s"' % rest
        left = sorted(os.listdir(folder))
        assert left == ['bin', 'names.txt'], left
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
        shutil.rmtree(folder)


what, page, argument = sys.argv[1:]
with open(page, encoding='utf-8') as file:
    {'client': client, 'session': session}[what](file.read(), argument)
