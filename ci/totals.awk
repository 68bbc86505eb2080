# SPDX-License-Identifier: MIT
# Reads ctest's LastTest.log of every run, and the lines of ci/lint; prints each skip with its reason, each failure,
# and as the last line the totals. A cmocka program counts with each of its tests, any other test of ctest as one; who
# said nothing at all did not run.
function count(verdict, test) {
  number[verdict]++
  if (verdict != "passed") lines[++line] = verdict " " run ": " test
  if (verdict == "skipped") lines[line] = lines[line] ": " (reason == "" ? "no reason given" : reason)
  current = reason = ""
}

FNR == 1 { run = FILENAME; gsub(/.*\/|\.log$/, "", run) }

# ctest says this before the block of a program that is not there, and then calls the block passed
/^Unable to find executable/ { missing = 1 }
/^[0-9]+\/[0-9]+ Testing: /  { program = $3; failed_before = number["failed"] + 0; tests = 0; current = reason = "" }
/^\[ RUN      \] /           { current = substr($0, 14); reason = ""; tests++ }
/^skipped: /                 { reason = substr($0, 10) }
/^\[       OK \] /           { if (current != "") count("passed", program " " current) }
/^\[  SKIPPED \] /           { if (current != "") count("skipped", program " " current); else reason = substr($0, 14) }
/^\[  (FAILED |ERROR  ) \] / { if (current != "") count("failed", program " " current) }
/^<end of output>/           { silent = previous ~ /^-+$/ } # which is the line above the output
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
  for (i = 1; i <= line; i++) print lines[i]
  printf "%d passed, %d failed, %d skipped\n", number["passed"], number["failed"], number["skipped"]
  exit number["failed"] > 0 || number["passed"] == 0
}
