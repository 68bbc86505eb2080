# SPDX-License-Identifier: MIT
# The C of a page's code blocks.
/^```/ { inside = /^```c$/; next }
inside
