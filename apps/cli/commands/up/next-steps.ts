import { relative } from 'node:path';
import { type UpSummary } from './run-stack';
import { defaultState } from '../../default-state';

/** What is said when the kernel is ready: where it is, and three commands to try. */
export function nextSteps(summary: UpSummary, { stopWith }: { stopWith: string }): string {
  const state = summary.dir === defaultState() ? '' : ` --state ${shellWord(summary.dir)}`;
  const file = shellWord(shortest(summary.environmentFile));
  const stop = stopWith.startsWith('./kernel') ? `${stopWith}${state}` : stopWith;
  if (summary.restoring) {
    return [
      'NOT READY: the database of this state folder is empty, but there was a chain, and its archive is there.',
      'The kernel runs in safe-mode: it signs and writes nothing, so that no second chain begins. Rebuild the store with',
      '',
      `  ./kernel replay --from archive --to store${state}`,
      '',
      "which verifies every event first; the kernel leaves safe-mode by itself when the rebuilt head is the archive's.",
      `Stop it with ${stop}.`,
    ].join('\n');
  }
  return [
    `ready after ${summary.seconds.toFixed(1)} s`,
    '',
    `  API            ${summary.apiUrl} (mutual TLS)`,
    `  web            ${summary.webUrl} (people, in a browser)`,
    `  management     ${summary.managementUrl} (/health, /ready, /metrics)`,
    `  signing proxy  ${summary.signingProxyUrl} (mutual TLS)`,
    `  origin         ${summary.origin}`,
    `  settings       . ${file}`,
    '',
    'Try next:',
    `  echo '{"id":"hello","version":"1.0.0","kind":"agent"}' | ./kernel sign -${state}`,
    `  ./kernel audit verify${state}`,
    `  ./kernel status${state}`,
    '',
    `Stop it with ${stop}.`,
    '',
    `Open ${summary.webUrl} in a browser to sign in (as anyone: the identity provider is for development).`,
  ].join('\n');
}

function shortest(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.length < path.length && !fromHere.startsWith('..') ? fromHere : path;
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
