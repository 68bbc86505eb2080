# SPDX-License-Identifier: MIT
# Reads ctest's LastTest.log of every run, and the lines of ci/lint; prints each skip with its reason, what each failure
# said, the failures by name, and as the last line the totals: who sees nothing but the end sees what to mend. A cmocka
# program counts with each of its tests, any other test of ctest as one.
function count(verdict, test) {
  number[verdict]++
  if (verdict == "skipped") skip[number[verdict]] = run ": " test ": " (reason == "" ? "no reason given" : reason)
  if (verdict == "failed") {
    failure[number[verdict]] = run ": " test
    said[number[verdict]] = excerpt(12, 28)
  }
  current = reason = ""
  lines = 0
}

function excerpt(first, last,    i, text) { # of what was said since the last verdict, but for the verdict itself
  for (i = 1; i < lines; i++)
    if (i <= first || i >= lines - last) text = text "    " line[i] "\n"
    else if (i == first + 1) text = text "    ...\n"
  return text
}

FNR == 1 { run = FILENAME; gsub(/.*\/|\.log$/, "", run); lines = 0 }
!/^-+$|^<end of output>$/ { line[++lines] = $0 }
/^Output:$/ { lines = 0 }

# ctest says this before the block of a program that is not there, and then calls the block passed
/^Unable to find executable/ { missing = 1 }
/^[0-9]+\/[0-9]+ Testing: /  { program = $3; failed_before = number["failed"] + 0; tests = 0; current = reason = "" }
/^\[ RUN      \] /           { current = substr($0, 14); reason = ""; tests++; lines = 0 }
/^skipped: /                 { reason = substr($0, 10) }
/^\[       OK \] /           { if (current != "") count("passed", program " " current) }
/^\[  SKIPPED \] /           { if (current != "") count("skipped", program " " current); else reason = substr($0, 14) }
/^\[  FAILED  \] /           { if (current != "") count("failed", program " " current) }
/^\[  ERROR   \] /           { if (substr($0, 14) == current) count("failed", program " " current) } # its teardown too
# Wine ends some programs that it could not start without a word and with 0. What is above the output is a line.
/^<end of output>/           { silent = previous ~ /^-+$/ && run ~ /^(mingw|windows)$/ }
/^Test Passed\./             {
  if (missing) count("failed", program " was not built")
  else if (silent) count("failed", program " said nothing: it did not run")
  else if (!tests) count(reason == "" ? "passed" : "skipped", program)
}
/^Test Failed\./             { if (number["failed"] + 0 == failed_before) count("failed", program " " current) }
/^Test (Passed|Failed)\./    { missing = 0 }

                             { previous = $0 }

/^\[  PASSED  \] (lint|windows|platforms): /         { count("passed") }
/^\[  FAILED  \] (lint|build|windows|platforms): / { sub(/^\[  FAILED  \] /, ""); count("failed", $0) }

END {
  for (i = 1; i <= number["skipped"]; i++) print "skipped " skip[i]
  for (i = 1; i <= number["failed"] && i <= 20; i++) printf "\nfailed %s\n%s", failure[i], said[i]
  if (number["failed"]) print ""
  for (i = 1; i <= number["failed"]; i++) print "failed " failure[i]
  printf "%d passed, %d failed, %d skipped\n", number["passed"], number["failed"], number["skipped"]
  exit number["failed"] > 0 || number["passed"] == 0
}
