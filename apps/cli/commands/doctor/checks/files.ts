import { seen } from '../facts';
import { type Finding } from '../finding';
import { samplesOf } from '../gather/metrics-text';
import { type Check, duration, measured, when } from './check';

const DAY_S = 86_400;
const RENEW =
  'Renew it where it was issued; processes take new files up by themselves. In a state folder ./kernel down and ./kernel up renew it.';

function validity(
  kind: 'certificate' | 'revocation list',
  subject: string,
  where: string,
  to: number,
  at: number,
  days: number,
): Finding[] {
  const left = (to - at) / 1000;
  if (left > days * DAY_S) return [];
  const list = kind === 'revocation list';
  const what = `${list ? 'The revocation list' : 'The certificate'} of ${subject}`;
  if (left > 0) {
    return [
      {
        code: list ? 'crl_near_end' : 'certificate_near_end',
        severity: 'warning',
        what: `${what} ends in ${duration(left)}, at ${when(to)}.`,
        where,
        action: list ? 'Have its issuer write a new list, and put it in place of this.' : RENEW,
      },
    ];
  }
  return [
    {
      code: list ? 'crl_ended' : 'certificate_ended',
      severity: 'critical',
      what: `${what} ended at ${when(to)}${list ? ': no client of its issuer gets a new connection' : ''}.`,
      where,
      action: list ? 'Have its issuer write a new list, and put it in place of this.' : RENEW,
      explains: ['certificates'],
    },
  ];
}

const certificates: Check = {
  name: 'certificates',
  look(facts) {
    const { at, limits } = facts;
    const days = limits.certificateDays;
    const findings = (seen(facts.certificates) ?? []).flatMap(
      ({ file, kind, subject, from, to, problem }): Finding[] => {
        if (kind === 'unreadable') {
          return [
            {
              code: 'certificate_unusable',
              severity: 'critical',
              what: `${file} ${problem}.`,
              where: file,
              action:
                'Put the right file back; in a state folder ./kernel down and ./kernel up issue it again.',
              explains: ['certificates'],
            },
          ];
        }
        if (at < from) {
          return [
            {
              code: 'certificate_not_yet',
              severity: 'critical',
              what: `The ${kind} of ${subject} is not valid before ${when(from)}.`,
              where: file,
              action: 'Check the clock of this machine, and of the one that issued it.',
              effectOf: ['clock'],
            },
          ];
        }
        return validity(kind, subject, file, to, at, days);
      },
    );
    for (const { name, metrics } of measured(facts)) {
      const seconds = [
        ['certificate', 'tls_certificate_expiry_timestamp_seconds'],
        ['revocation list', 'tls_revocation_list_expiry_timestamp_seconds'],
      ] as const;
      for (const [kind, metric] of seconds) {
        for (const { labels, value } of samplesOf(metrics, metric)) {
          const where = `${name}, ${labels['use']}`;
          findings.push(...validity(kind, labels['subject'] ?? '', where, value * 1000, at, days));
        }
      }
    }
    return findings;
  },
};

const refused: Check = {
  name: 'refused files',
  look: (facts) =>
    measured(facts).flatMap(({ name, metrics }): Finding[] => [
      ...samplesOf(metrics, 'tls_files_refused')
        .filter(({ value }) => value === 1)
        .map(({ labels }): Finding => ({
          code: 'tls_files_refused',
          severity: 'critical',
          what: `${name} refuses its TLS files (${labels['use']}), and goes on with the ones before until it ends.`,
          where: `${name}, ${labels['use']}`,
          action: `The log of ${name} says what is wrong with them; put usable files in their place.`,
          effectOf: ['certificates'],
        })),
      ...samplesOf(metrics, 'secret_file_refused')
        .filter(({ value }) => value === 1)
        .map(({ labels }): Finding => ({
          code: 'secret_file_refused',
          severity: 'critical',
          what: `${name} cannot use the file of ${labels['setting']}, and goes on with the value before until it ends.`,
          where: `${name}, ${labels['setting']}`,
          action: `The log of ${name} says why; put a usable file in its place.`,
        })),
    ]),
};

/** Bits of group and others. */
const OPEN = 0o077;

const modes: Check = {
  name: 'file modes',
  look: (facts) =>
    (seen(facts.privateFiles) ?? [])
      .filter(({ mode }) => (mode & OPEN) !== 0)
      .map(({ file, mode }): Finding => ({
        code: 'secret_file_open',
        severity: 'critical',
        what: `${file} has secrets, and others may read it (mode ${mode.toString(8).padStart(4, '0')}).`,
        where: file,
        action: `chmod 600 ${file}; replace what is in it, if others are on this machine.`,
      })),
};

/** Errors that a finding already says are no news. */
const logs: Check = {
  name: 'logs',
  look: (facts) =>
    (seen(facts.logs) ?? []).flatMap(({ name, file, errors }) =>
      errors.map(({ message, count, last }): Finding => ({
        code: 'errors_in_log',
        severity: 'warning',
        what: `${name} logged ${count} error(s) within a quarter of an hour, the last at ${last}: ${message}`,
        where: file,
        action: `tail -n 50 ${file}`,
        effectOf: [
          ...(['openbao', 'postgres', 'kafka', 'archive', 'disk', 'signing', 'integrity', 'schema'] as const),
          ...(['certificates', 'clock', 'replacement'] as const),
          `process:${name}`,
        ],
      })),
    ),
};

export const FILE_CHECKS: readonly Check[] = [certificates, refused, modes, logs];
