import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { z } from 'zod';
import { TestCa } from '#dev/testing';
import { ConfigError, type ConfigProblem } from './config-error';
import { configurationPage } from './configuration-page';
import { defineConfig, type ConfigOf } from './define-config';
import { loadConfig, loadPart } from './load-config';
import {
  certificateFile,
  flag,
  json,
  list,
  matching,
  oneOf,
  port,
  readableFile,
  text,
  url,
  wholeNumber,
} from './setting-types';

const definition = defineConfig({
  KERNEL_HTTP_PORT: { schema: port(), description: 'Where callers connect.', default: 8443 },
  KERNEL_BODY_LIMIT: {
    schema: wholeNumber({ min: 1, max: 1000 }),
    description: 'Largest body.',
    default: 10,
    unit: 'bytes',
  },
  KERNEL_SIGNER: { schema: oneOf('software', 'pkcs11'), description: 'Which signer.', default: 'software' },
  KERNEL_TRACE: { schema: flag().optional(), description: 'Whether to trace.' },
  DATABASE_URL: { schema: url('postgres', 'postgresql'), description: 'The event store.', secret: true },
});
const good = { DATABASE_URL: 'postgres://kernel:s3cret@db/kernel' };

function problemsOf(act: () => unknown): readonly ConfigProblem[] {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigError) return error.details.problems;
    throw error;
  }
  throw new Error('expected a ConfigError');
}

describe('loadConfig', () => {
  it('gives a frozen object with camelCase members, defaults and parsed values', () => {
    const config: ConfigOf<typeof definition> = loadConfig(definition, { ...good, KERNEL_BODY_LIMIT: '20' });
    expect(config.httpPort).toBe(8443);
    expect(config.bodyLimit).toBe(20);
    expect(config.signer).toBe('software');
    expect(config.trace).toBeUndefined();
    expect(config.databaseUrl).toBe(good.DATABASE_URL);
    expect(config.isProduction).toBe(false);
    expect(Object.isFrozen(config)).toBe(true);
    expect(() => Object.assign(config, { httpPort: 1 })).toThrow(TypeError);
  });

  it('names every offending member in one message, with what to do', () => {
    const env = {
      KERNEL_HTTP_PORT: '99999',
      KERNEL_BODY_LIMIT: '1e2',
      KERNEL_SIGNER: 'vault',
      KERNEL_TRACE: 'yes',
      NODE_ENV: 'prod',
    };
    expect(problemsOf(() => loadConfig(definition, env))).toEqual([
      { member: 'NODE_ENV', problem: 'expected production, development, test or nothing, got "prod"' },
      {
        member: 'KERNEL_HTTP_PORT',
        problem: 'expected a whole number from 0 to 65535, got "99999". Where callers connect.',
      },
      {
        member: 'KERNEL_BODY_LIMIT',
        problem: 'expected a whole number from 1 to 1000, got "1e2". Largest body.',
      },
      {
        member: 'KERNEL_SIGNER',
        problem: 'expected one of software, pkcs11, got "vault". Which signer.',
      },
      { member: 'KERNEL_TRACE', problem: 'expected true or false, got "yes". Whether to trace.' },
      {
        member: 'DATABASE_URL',
        problem: 'is missing; set DATABASE_URL, or DATABASE_URL_FILE to the path of a file. The event store.',
      },
    ]);
  });

  it('takes an empty variable as not set', () => {
    expect(loadConfig(definition, { ...good, KERNEL_HTTP_PORT: '' }).httpPort).toBe(8443);
    expect(problemsOf(() => loadConfig(definition, { DATABASE_URL: '' }))).toHaveLength(1);
  });

  it('refuses unknown KERNEL_ variables and proposes the one that was meant', () => {
    const problems = problemsOf(() =>
      loadConfig(definition, { ...good, KERNEL_BODY_LIMITS: '3', KERNEL_ZZ: '' }),
    );
    expect(problems).toEqual([
      {
        member: 'KERNEL_BODY_LIMITS',
        problem: 'is not a setting of this process; remove it, or did you mean KERNEL_BODY_LIMIT',
      },
      { member: 'KERNEL_ZZ', problem: 'is not a setting of this process; remove it' },
    ]);
  });

  it('ignores what kernel.env exports for shells, and what Kubernetes injects for a Service', () => {
    const env = {
      ...good,
      KERNEL_API_URL: 'https://localhost:8443',
      KERNEL_WEB_URL: 'x',
      KERNEL_OIDC_ISSUER: 'x',
      KERNEL_MANAGEMENT_URL: 'x',
      KERNEL_SIGNING_PROXY_URL: 'x',
      KERNEL_ORIGIN: 'x',
      KERNEL_CA_CERT: '/x',
      KERNEL_ARCHIVE_DIR: '/x',
      KERNEL_DIVISION_LEAD_CERT: '/x',
      KERNEL_NOROLE_KEY: '/x',
      KERNEL_APPROVER_5_TLS_KEY: '/x',
      KERNEL_SERVICE_HOST: '10.0.0.1',
      KERNEL_SERVICE_PORT_HTTPS: '8443',
      KERNEL_PORT: 'tcp://10.0.0.1:8443',
      KERNEL_SIGNING_PROXY_PORT_8445_TCP_ADDR: '10.0.0.2',
    };
    expect(() => loadConfig(definition, env)).not.toThrow();
    expect(problemsOf(() => loadConfig(definition, { ...good, KERNEL_PORT: '8443' }))[0]?.member).toBe(
      'KERNEL_PORT',
    );
    expect(problemsOf(() => loadConfig(definition, { ...good, KERNEL_EVE_CERT: '/x' }))[0]?.member).toBe(
      'KERNEL_EVE_CERT',
    );
  });

  it('does not carry secrets into anything that is printed, copied or complained about', () => {
    const config = loadConfig(definition, good);
    const printed = [
      JSON.stringify(config),
      inspect(config, { depth: 9 }),
      JSON.stringify({ ...config }),
    ].join();
    expect(printed).not.toContain('s3cret');
    expect(printed).toContain('8443');
    try {
      loadConfig(definition, { DATABASE_URL: 'mysql://kernel:s3cret@db' });
      throw new Error('expected a refusal');
    } catch (error) {
      expect(inspect(error, { depth: 9 })).not.toContain('s3cret');
      expect(String(error)).toContain('DATABASE_URL: the value (not shown, it is secret) does not fit');
    }
  });

  it('asks in production for what has only a development default, and refuses development settings', () => {
    const staged = defineConfig({
      KERNEL_ORIGIN: {
        schema: text(),
        description: 'Names this kernel.',
        default: 'dev',
        inProduction: 'required',
      },
      KERNEL_DEV_CA: { schema: flag().optional(), description: 'Own CA.', inProduction: 'refused' },
    });
    expect(loadConfig(staged, { KERNEL_DEV_CA: 'true' })).toEqual({
      isProduction: false,
      origin: 'dev',
      devCa: true,
    });
    expect(problemsOf(() => loadConfig(staged, { NODE_ENV: 'production', KERNEL_DEV_CA: 'true' }))).toEqual([
      { member: 'KERNEL_ORIGIN', problem: 'is missing; set it. Names this kernel.' },
      {
        member: 'KERNEL_DEV_CA',
        problem: 'is for development only; remove it, or do not run with NODE_ENV=production',
      },
    ]);
  });

  describe('with files', () => {
    let dir: string;
    beforeEach(() => {
      dir = mkdtempSync(join(tmpdir(), 'config-'));
    });
    afterEach(() => rmSync(dir, { recursive: true }));

    it('takes a secret from the file that <NAME>_FILE names, without its line end', () => {
      const file = join(dir, 'url');
      writeFileSync(file, 'postgres://db/kernel\n');
      expect(loadConfig(definition, { DATABASE_URL_FILE: file }).databaseUrl).toBe('postgres://db/kernel');
    });

    it('refuses both at once, a file that is not there, an empty and a huge one', () => {
      const empty = join(dir, 'empty');
      const huge = join(dir, 'huge');
      writeFileSync(empty, '\n');
      writeFileSync(huge, Buffer.alloc(1024 * 1024 + 1, 'x'));
      const problem = (env: Record<string, string>) => problemsOf(() => loadConfig(definition, env))[0];
      expect(problem({ ...good, DATABASE_URL_FILE: empty })?.problem).toBe(
        'is set twice, also by DATABASE_URL_FILE; keep one of the two',
      );
      expect(problem({ DATABASE_URL_FILE: join(dir, 'none') })).toEqual({
        member: 'DATABASE_URL_FILE',
        problem: expect.stringContaining('cannot be read (ENOENT)'),
      });
      expect(problem({ DATABASE_URL_FILE: empty })?.problem).toContain('is empty');
      expect(problem({ DATABASE_URL_FILE: huge })?.problem).toContain('larger than 1 MiB');
    });

    it('does not read files for members that are neither secret nor fromFile', () => {
      expect(problemsOf(() => loadConfig(definition, { ...good, KERNEL_SIGNER_FILE: '/x' }))).toHaveLength(1);
    });

    it('checks that a readable file is one', () => {
      const file = join(dir, 'cert.pem');
      writeFileSync(file, 'x');
      expect(readableFile().safeParse(file).success).toBe(true);
      expect(readableFile().safeParse(dir).success).toBe(false);
      expect(readableFile().safeParse(join(dir, 'none')).success).toBe(false);
    });
  });
});

describe('certificateFile', () => {
  const HOUR_MS = 3_600_000;
  let dir: string;
  let good: string;
  let expired: string;
  let early: string;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'certificates-'));
    const ca = await TestCa.create();
    const issue = async (from: number, to: number): Promise<string> =>
      (
        await ca.issue({
          subject: [{ CN: ['kernel'] }],
          notBefore: new Date(Date.now() + from * HOUR_MS),
          notAfter: new Date(Date.now() + to * HOUR_MS),
        })
      ).cert;
    good = await issue(-1, 1);
    expired = await issue(-2, -1);
    early = await issue(1, 2);
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  const complaint = (of: 'chain' | 'authorities', ...pems: string[]): string | undefined => {
    const file = join(dir, 'certificates.pem');
    writeFileSync(file, pems.join('\n'));
    return certificateFile(of).safeParse(file).error?.issues[0]?.message;
  };

  it('takes a chain in which all are in force, and says which one is not', () => {
    expect(complaint('chain', good, good)).toBeUndefined();
    expect(complaint('chain', good, expired)).toMatch(/CN=kernel expired on 2.*Z; renew it/);
    expect(complaint('chain', early)).toContain('not valid before');
  });

  it('takes authorities of which one is in force', () => {
    expect(complaint('authorities', expired, good)).toBeUndefined();
    expect(complaint('authorities', expired, early)).toContain('expired on');
  });

  it.each(['chain', 'authorities'] as const)('refuses a file without certificates: %s', (of) => {
    expect(complaint(of, 'nothing')).toContain('no certificate could be read');
    expect(complaint(of, good.replace(/MII/, 'AAA'))).toContain('no certificate could be read');
    expect(certificateFile(of).safeParse(join(dir, 'none')).success).toBe(false);
  });
});

describe('setting types', () => {
  it.each<[string, z.ZodType<unknown, string>, string[], string[]]>([
    [
      'wholeNumber',
      wholeNumber({ min: -5, max: 50 }),
      ['0', '-5', '50'],
      ['', '51', '-6', '05', '1.0', ' 1', '0x1', '-0'],
    ],
    ['flag', flag(), ['true', 'false'], ['1', 'TRUE', 'yes', '']],
    ['url', url('https'), ['https://h:1/x'], ['http://h', 'h:443', '//h', '']],
    ['matching', matching(/^[a-z]+$/, 'letters'), ['abc'], ['aBc', 'a\n']],
    ['list', list(oneOf('a', 'b'), 'a and b'), ['a', 'a, b'], ['', 'a,', 'c']],
    ['text', text(), ['a b'], ['a\nb', 'a\0b']],
  ])('%s', (_, schema, accepted, refused) => {
    for (const value of accepted) expect([value, schema.safeParse(value).success]).toEqual([value, true]);
    for (const value of refused) expect([value, schema.safeParse(value).success]).toEqual([value, false]);
  });

  it('json says where in the value the mistake is', () => {
    const bindings = defineConfig({
      KERNEL_LIST: {
        schema: json(z.array(z.strictObject({ cn: z.string() })), 'a list'),
        description: 'A list.',
        fromFile: true,
      },
    });
    expect(loadConfig(bindings, { KERNEL_LIST: '[{"cn":"a"}]' }).list).toEqual([{ cn: 'a' }]);
    expect(problemsOf(() => loadConfig(bindings, { KERNEL_LIST: '[{"cn":1}]' }))[0]?.problem).toContain(
      'at 0.cn',
    );
    expect(problemsOf(() => loadConfig(bindings, { KERNEL_LIST: '[' }))[0]?.problem).toContain(
      'expected a list as JSON',
    );
  });
});

describe('defineConfig', () => {
  it.each([
    ['kernel_port', {}, 'UPPER_SNAKE_CASE'],
    ['KERNEL_PORT', {}, 'Kubernetes'],
    ['KERNEL_X', { description: ' ' }, 'no description'],
    ['KERNEL_X', { secret: true, default: 'hunter2' }, 'although it is a secret'],
    ['KERNEL_IS_PRODUCTION', {}, 'same member name as NODE_ENV'],
  ])('refuses %s %j', (name, more, words) => {
    const act = () => defineConfig({ [name]: { schema: text(), description: 'x', ...more } });
    expect(problemsOf(act)[0]?.problem).toContain(words);
  });

  it('refuses two names for one member', () => {
    const member = { schema: text(), description: 'x' };
    expect(problemsOf(() => defineConfig({ KERNEL_X: member, X: member }))[0]?.problem).toContain('KERNEL_X');
    expect(
      problemsOf(() => defineConfig({ KERNEL_X: { ...member, secret: true }, KERNEL_X_FILE: member }))[0]
        ?.problem,
    ).toContain('clashes');
  });
});

it('the configuration page tells all there is to know of a member, and no secret', () => {
  const page = configurationPage(new Map([['kernel', definition]]));
  expect(page).toContain('## kernel');
  expect(page).toContain(
    '### KERNEL_BODY_LIMIT\n\nLargest body.\n\n- Value: a whole number from 1 to 1000, in bytes\n- Default: `10`\n',
  );
  expect(page).toContain('- Value: true or false\n- Default: none, it may be left out');
  expect(page).toContain('- Secret: never printed; `DATABASE_URL_FILE` names a file instead');
});

describe('loadPart', () => {
  const env = { ...good, KERNEL_HTTP_PORT: '9000', KERNEL_OTHERS_SETTING: 'x', NODE_ENV: 'development' };

  it('leaves alone what is not of this part', () => {
    expect(() => loadConfig(definition, env)).toThrow(ConfigError);
    const part = loadPart(definition, env);
    expect([part.httpPort, part.databaseUrl, part.isProduction]).toEqual([9000, good.DATABASE_URL, false]);
  });

  it('takes what the program sets instead, and is as strict as ever about the rest', () => {
    expect(loadPart(definition, env, { KERNEL_HTTP_PORT: '9001' }).httpPort).toBe(9001);
    expect(() => loadPart(definition, { ...env, KERNEL_SIGNER: 'paper' })).toThrow(ConfigError);
  });

  it('takes secrets from files', () => {
    const dir = mkdtempSync(join(tmpdir(), 'config-part-'));
    try {
      writeFileSync(join(dir, 'url'), `${good.DATABASE_URL}\n`);
      expect(loadPart(definition, { DATABASE_URL_FILE: join(dir, 'url') }).databaseUrl).toBe(
        good.DATABASE_URL,
      );
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
