/** What a deployment has to show: the criteria of section 13 of the deployment guide, and governance of its section 11. */
const CRITERIA = {
  1: 'Deployed: health, readiness, valid signatures',
  2: 'Audit pipeline: stream, index, archive, verified chain',
  3: 'Keys: verifiable by the registry, kept in an HSM or KMS, none in the cluster',
  4: 'Roles by mutual TLS at every door, people by OpenID Connect',
  5: 'Gates of the delivery pipeline',
  6: 'Runbooks',
  7: 'Governance: upgrades by quorum',
};

/** A criterion that is not met. Its message is the evidence. */
export class NotMet extends Error {}

/** A check that could not be made, and what would have to be given for it. */
export class NotChecked extends Error {}

/** @returns {never} */
export function notChecked(why) {
  throw new NotChecked(why);
}

/** Holds a condition, whose failure is the evidence. */
export function must(condition, otherwise) {
  if (!condition) throw new NotMet(otherwise);
}

/**
 * Runs one check. What it returns is its evidence; anything that it throws is a failure, also what nobody foresaw, so that no
 * mistake in a check looks like a deployment in order.
 */
export async function judged({ criterion, name, run }, context) {
  const row = (verdict, evidence) => ({ criterion, check: name, verdict, evidence: oneLine(evidence) });
  try {
    return row('passed', await run(context));
  } catch (error) {
    if (error instanceof NotChecked) return row('not checked', error.message);
    return row('failed', error instanceof Error ? reasonOf(error) : String(error));
  }
}

function reasonOf(error) {
  const { code } = error;
  return typeof code === 'string' && !error.message.includes(code)
    ? `${error.message} (${code})`
    : error.message;
}

const LONGEST_EVIDENCE = 300;

/** One line that no terminal obeys: evidence has words of the deployment in it. */
function oneLine(text) {
  const line = String(text)
    // eslint-disable-next-line no-control-regex -- exactly these must not reach a terminal
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ')
    .trim();
  return line.length > LONGEST_EVIDENCE ? `${line.slice(0, LONGEST_EVIDENCE - 3)}...` : line;
}

function summaryOf(rows) {
  const count = (wanted) => rows.filter(({ verdict }) => verdict === wanted).length;
  return { passed: count('passed'), failed: count('failed'), notChecked: count('not checked') };
}

export function asJson(url, rows) {
  const checks = rows.map((row) => ({ ...row, criterion: CRITERIA[row.criterion] }));
  return `${JSON.stringify({ url, at: new Date().toISOString(), ...summaryOf(rows), checks }, null, 2)}\n`;
}

/** A table in Markdown, which can be put into a release's record as it is. */
export function asTable(url, rows) {
  const cells = rows.map(({ criterion, check, verdict, evidence }, n) => [
    rows[n - 1]?.criterion === criterion ? '' : CRITERIA[criterion],
    check,
    verdict === 'failed' ? '**failed**' : verdict,
    evidence.replaceAll('|', '\\|'),
  ]);
  const lines = [['criterion', 'check', 'verdict', 'evidence'], ['---', '---', '---', '---'], ...cells];
  const { passed, failed, notChecked: left } = summaryOf(rows);
  const table = lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
  return `Acceptance of ${url}\n\n${table}\n\n${passed} passed, ${failed} failed, ${left} not checked\n`;
}
