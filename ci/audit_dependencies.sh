#!/bin/sh
# Asks the registry for known weaknesses of the packages in package-lock.json. Exit status: 0 none of the level or above, 1 some,
# 75 the registry does not answer such questions (a mirror often does not), with its reason.
set -eu

level=${AUDIT_LEVEL:-high}
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
trap 'exit 1' HUP INT TERM

# What is handed on; a weakness of what only builds or tests is Renovate's business.
if npm audit --omit=dev --audit-level="$level" --json >"$answer" 2>"$answer.err"; then status=0; else status=$?; fi
why=$(cat "$answer.err")
rm -f "$answer.err"
ANSWER=$answer STATUS=$status WHY=$why LEVEL=$level node - <<'PROGRAM'
const { readFileSync } = require('node:fs');
const { ANSWER, STATUS, WHY, LEVEL } = process.env;
let report;
try {
  report = JSON.parse(readFileSync(ANSWER, 'utf8'));
} catch {
  report = {};
}
if (report.metadata?.vulnerabilities === undefined) {
  const reason = report.message ?? report.error?.summary ?? WHY.split('\n')[0];
  console.error(`audit-dependencies: the registry does not say which packages are weak: ${reason || 'no answer'}`);
  process.exit(75);
}
for (const { name, severity, via } of Object.values(report.vulnerabilities ?? {})) {
  const titles = via.filter((one) => typeof one === 'object').map(({ title, url }) => `${title} (${url})`);
  console.log(`${severity.padEnd(9)} ${name}: ${titles.join('; ') || `by ${via.join(', ')}`}`);
}
const { total } = report.metadata.vulnerabilities;
console.log(`${total} weaknesses known, ${STATUS === '0' ? 'none' : 'some'} of the level ${LEVEL} or above`);
process.exit(STATUS === '0' ? 0 : 1);
PROGRAM
