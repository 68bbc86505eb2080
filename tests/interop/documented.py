# SPDX-License-Identifier: MIT
"""documented.py PAGE MODULE...: each public name of the modules stands in that page, as code. Says which do not."""

import importlib
import re
import sys
import types


def own_names(module):
    """Those that the module defines."""
    for name, value in vars(module).items():
        if name.startswith('_') or isinstance(value, types.ModuleType):
            continue
        if getattr(value, '__module__', module.__name__) != module.__name__:
            continue
        yield name


def attributes(cls):
    return {name for base in cls.__mro__ if base.__module__ == cls.__module__
            for name in vars(base) if not name.startswith('_')}


page, *modules = sys.argv[1:]
with open(page, encoding='utf-8') as file:
    words = set(re.findall(r'\w+', ' '.join(re.findall(r'`[^`]*`', file.read()))))
missing = found = 0
for module in map(importlib.import_module, modules):
    names = set(own_names(module))
    for value in [getattr(module, name) for name in names]:
        if isinstance(value, type):
            names |= attributes(value)
    found += len(names & words)
    for name in sorted(names - words):
        print('%s.%s is not in %s' % (module.__name__, name, page))
        missing = 1
print('%d names are in %s' % (found, page))
sys.exit(missing)
