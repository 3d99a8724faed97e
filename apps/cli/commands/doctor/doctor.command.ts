import { type Command } from 'commander';
import { CliError } from '../../cli.error';
import { print, say } from '../../output/print';
import { findingsOf, notLookedAt } from './checks/all-checks';
import { writeBundle } from './bundle/bundle';
import { DEFAULT_LIMITS, type Limits } from './facts';
import { type Diagnosis, diagnose } from './finding';
import { gatherFacts } from './gather/gather';
import { type DoctorOptions, placesFrom } from './places';
import { wholeFrom } from '../as-owner';

interface DoctorFlags extends DoctorOptions {
  json?: true;
  bundle?: string;
  behindAfter?: number;
  certificateDays?: number;
  diskFree?: number;
}

/** What `--json` prints. */
export interface Report {
  target: string;
  at: string;
  verdict: 'healthy' | 'wrong' | 'cannot tell';
  findings: readonly Diagnosis[];
  notLookedAt: readonly { part: string; why: string }[];
}

const HEALTHY = 0;
const WRONG = 1;
const CANNOT_TELL = 2;
const CODES = { healthy: HEALTHY, wrong: WRONG, 'cannot tell': CANNOT_TELL } as const;

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('what is wrong now, and what to do about it')
    .description(
      [
        'Looks at the kernel of a state folder, or with --process at a deployment by its addresses, and says what is wrong, where,',
        'and what to do: causes first, each once. It changes nothing. Of a deployment it also looks at DATABASE_URL (a role that may',
        'read is enough), the archive (KERNEL_ARCHIVE and what belongs to it) and KAFKA_BROKERS. Exit code 0: healthy, as far as it',
        'was looked at; 1: something is wrong; 2: it cannot tell, or wrong use.',
      ].join(' '),
    )
    .option('--state <dir>', 'the state folder (default: .kernel)')
    .option('--process <name=url...>', 'management addresses of a deployment: kernel=http://10.0.0.4:9090')
    .option('--certificates <file...>', 'PEM files of certificates and revocation lists to look at, too')
    .option('--disk <dir...>', 'folders whose disks to look at, too')
    .option('--log <name=file...>', 'logs to look at, too')
    .option('--signers <file>', 'signers.json that must agree with the registry')
    .option('--openbao-url <url>', 'OpenBao or Vault that holds the keys of a deployment')
    .option('--openbao-ca <file>', 'authority of its certificate, PEM')
    .option(
      '--behind-after <seconds>',
      'longest that readers of the log may be behind (default: 60)',
      wholeFrom(1),
    )
    .option(
      '--certificate-days <n>',
      'a certificate that ends within so many days is a finding (default: 14)',
      wholeFrom(0),
    )
    .option('--disk-free <percent>', 'least free part of a disk (default: 10)', wholeFrom(0))
    .option('--bundle <file>', 'write a support bundle without secrets (.tar.gz)')
    .option('--json', 'print `{ target, at, verdict, findings, notLookedAt }` as JSON')
    .action(async (flags: DoctorFlags) => {
      try {
        process.exitCode = await examine(flags);
      } catch (error) {
        if (error instanceof CliError) throw error;
        const { message } = error as Error;
        // It ends with "cannot tell", and not as if something were known to be wrong.
        throw new CliError('wrong_usage', `The doctor cannot tell: ${message}`, {}, { cause: error });
      }
    });
}

async function examine(flags: DoctorFlags): Promise<number> {
  const limits = limitsFrom(flags);
  const places = await placesFrom(flags);
  const facts = await gatherFacts(places, limits);
  const findings = diagnose(findingsOf(facts));
  const report: Report = {
    target: places.title,
    at: new Date(facts.at).toISOString(),
    verdict: verdictOf(findings, facts.endpoints.kind === 'seen' || facts.database.kind === 'seen'),
    findings,
    notLookedAt: notLookedAt(facts),
  };
  if (flags.json === true) print(JSON.stringify(report, null, 2));
  else show(report);
  if (flags.bundle !== undefined) {
    const { files, bytes } = await writeBundle(flags.bundle, { places, facts, report });
    say(`wrote ${flags.bundle}: ${files} files, ${bytes} bytes; MANIFEST.txt in it lists them`);
  }
  return CODES[report.verdict];
}

function limitsFrom({ behindAfter, certificateDays, diskFree }: DoctorFlags): Limits {
  return {
    ...DEFAULT_LIMITS,
    ...(behindAfter === undefined ? {} : { behindSeconds: behindAfter }),
    ...(certificateDays === undefined ? {} : { certificateDays }),
    ...(diskFree === undefined ? {} : { diskFreePercent: diskFree }),
  };
}

export function verdictOf(
  findings: readonly Pick<Diagnosis, 'severity'>[],
  anythingSeen: boolean,
): Report['verdict'] {
  if (findings.some(({ severity }) => severity !== 'unknown')) return 'wrong';
  return findings.length > 0 || !anythingSeen ? 'cannot tell' : 'healthy';
}

function show({ target, verdict, findings, notLookedAt: unseen }: Report): void {
  for (const { code, severity, what, where, action, runbook, effects } of findings) {
    print(`${severity.padEnd(8)} ${code}: ${what}`, severity === 'critical' ? 'bad' : undefined);
    print(`         where  ${where}`);
    print(`         do     ${action}`);
    if (runbook !== undefined) print(`         see    runbooks/${runbook}`);
    for (const effect of effects) print(`         hence  ${effect.code}: ${effect.what}`);
    print('');
  }
  if (unseen.length > 0) {
    print('not looked at:');
    for (const { part, why } of unseen) print(`  ${part}: ${why}`);
    print('');
  }
  const sentences = {
    healthy: `Healthy, as far as it was looked at: ${target}.`,
    wrong: `${findings.length} finding(s): ${target}.`,
    'cannot tell': `It cannot be told whether all is well: ${target}.`,
  };
  print(sentences[verdict], verdict === 'healthy' ? 'good' : 'bad');
}
