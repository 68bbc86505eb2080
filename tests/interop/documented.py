# SPDX-License-Identifier: MIT
"""documented.py PAGE NAME...: what a Python program can name of the modules or functions NAME stands in PAGE, as code:
public names, methods, and their arguments. Says which do not. MAYFLY_TEST_PYTHONS: asked of each of these Pythons."""

import importlib
import inspect
import os
import re
import subprocess
import sys
import types

SELF = {'self', 'cls', 'args', 'kwds'}


def public(owner):
    return {name: value for name, value in vars(owner).items() if not name.startswith('_')}


def own(module):
    """What the module itself defines."""
    return {name: value for name, value in public(module).items()
            if not isinstance(value, types.ModuleType)
            and getattr(value, '__module__', module.__name__) == module.__name__}


def arguments(value):
    if not isinstance(value, (type, types.FunctionType)):
        return set()
    try:
        return set(inspect.signature(value).parameters) - SELF
    except ValueError:  # of a class in C
        return set()


def of_class(cls):
    """Its methods and their arguments, those of base classes in the same module too."""
    names = arguments(cls)
    for base in cls.__mro__:
        if base.__module__ == cls.__module__:
            for name, value in public(base).items():
                names |= {name} | arguments(value)
    return names


def named(what):
    """All that can be named of a module, or of a function as MODULE.FUNCTION."""
    try:
        found = own(importlib.import_module(what))
    except ImportError:
        module, function = what.rsplit('.', 1)
        found = {function: getattr(importlib.import_module(module), function)}
    names = set(found)
    for value in found.values():
        names |= of_class(value) if isinstance(value, type) else arguments(value)
    return names


def missing(page, what):
    with open(page, encoding='utf-8') as file:
        words = set(re.findall(r'\w+', ' '.join(re.findall(r'`[^`]*`', file.read()))))
    print('Python %d.%d, %s: %d names' % (*sys.version_info[:2], what, len(named(what))))
    return ['%s: %s is not in %s' % (what, name, page) for name in sorted(named(what) - words)]


def main(page, *names):
    pythons = os.environ.pop('MAYFLY_TEST_PYTHONS', '').split()
    if pythons:
        return max(subprocess.call([python, '-B', __file__, page, *names]) for python in pythons)
    lines = [line for what in names for line in missing(page, what)]
    for line in lines:
        print('Python %d.%d, %s' % (*sys.version_info[:2], line))
    return int(bool(lines))


sys.exit(main(*sys.argv[1:]))
