import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { parse } from 'yaml';
import { userCache } from '#dev/devstack';
import { describeWith, workTree } from '#dev/testing';
import { CI_IMAGE, LocalPipeline } from './local-pipeline';
import { pipelineLintToolsMissing } from './pipeline-tools';

/** What GitLab would say about where a pipeline comes from. */
const MERGE_REQUEST = { CI_PIPELINE_SOURCE: 'merge_request_event', CI_COMMIT_REF_PROTECTED: 'false' };
const DEFAULT_BRANCH = {
  CI_PIPELINE_SOURCE: 'push',
  CI_COMMIT_BRANCH: 'main',
  CI_DEFAULT_BRANCH: 'main',
  CI_COMMIT_REF_PROTECTED: 'true',
};
const OTHER_PROTECTED = { ...DEFAULT_BRANCH, CI_COMMIT_BRANCH: 'release-1' };
const UNPROTECTED = { ...DEFAULT_BRANCH, CI_COMMIT_REF_PROTECTED: 'false' };
const TEST_JOBS = [
  'lint',
  'unit',
  'integration',
  'contract',
  'e2e',
  'emulated-kms',
  'sast',
  'secret-scan',
  'licences',
];

describeWith({ missing: pipelineLintToolsMissing() }, 'the delivery pipeline', () => {
  let opened: LocalPipeline;
  beforeAll(async () => {
    opened = await LocalPipeline.open();
  }, 120_000);
  afterAll(() => opened.close());
  const pipeline = (variables: Record<string, string>) => opened.of(variables);

  it('is what GitLab takes, and Renovate', async () => {
    const files = [
      '.gitlab-ci.yml',
      ...readdirSync(join(opened.folder, 'ci/gitlab')).map((name) => `ci/gitlab/${name}`),
    ];
    const gitlab = await opened.run('check-jsonschema', ['--builtin-schema', 'vendor.gitlab-ci', ...files]);
    expect(gitlab).toEqual({ code: 0, output: expect.stringContaining('ok') });
    const renovate = await opened.run('check-jsonschema', [
      '--builtin-schema',
      'vendor.renovate',
      'renovate.json',
    ]);
    expect(renovate).toEqual({ code: 0, output: expect.stringContaining('ok') });
  });

  it('starts what is in the repository', () => {
    const named = /(?:^|[\s"(])((?:\.ci|ci|scripts|tools|k8s|test)\/[\w.*-]+(?:\/[\w.*-]+)*)/gm;
    const texts = Object.values(opened.jobs).flatMap(({ script = [], before_script: before = [] }) => [
      ...before,
      ...script,
    ]);
    for (const name of readdirSync(join(workTree(), 'ci')).filter((one) => one.endsWith('.sh'))) {
      const lines = readFileSync(join(workTree(), 'ci', name), 'utf8').split('\n');
      texts.push(...lines.filter((line) => !/^\s*#/.test(line)));
    }
    const files = new Set(texts.flatMap((text) => [...text.matchAll(named)].map(([, file = '']) => file)));
    expect(files.size).toBeGreaterThan(10);
    // Of a pattern, the part before its `*`; for Jest a name is the beginning of names.
    const isThere = (file: string): boolean => {
      const at = join(workTree(), file.split('*')[0] ?? '');
      const [above, beginning] = [dirname(at), basename(at)];
      return (
        existsSync(at) || (existsSync(above) && readdirSync(above).some((name) => name.startsWith(beginning)))
      );
    };
    const missing = [...files].filter((file) => !isThere(file));
    expect(missing).toEqual([]);
  });

  it('names images by digest, or by a variable whose digest is looked at', async () => {
    for (const [name, { image, services }] of Object.entries(opened.jobs)) {
      expect([name, services]).toEqual([name, undefined]);
      expect([name, image?.name]).toEqual([
        name,
        expect.stringMatching(/^\$PIPELINE_IMAGE$|@sha256:[0-9a-f]{64}$/),
      ]);
    }
    expect(opened.jobs['pipeline-files']?.script).toContain(
      'ci/require_image_digest.sh "${PIPELINE_IMAGE:-}"',
    );
    const digest = (image: string) => opened.run(join(workTree(), 'ci/require_image_digest.sh'), [image]);
    expect((await digest(CI_IMAGE)).code).toBe(0);
    for (const image of ['', 'node:24', `node:24@sha256:${'0'.repeat(63)}`, `-x@sha256:${'0'.repeat(64)}`]) {
      expect([image, (await digest(image)).code]).toEqual([image, 1]);
    }
  });

  it('deploys no image that is named by a tag, and to no environment that nobody knows', async () => {
    const deploy = (...args: string[]) => opened.run(join(workTree(), 'ci/deploy.sh'), args);
    const tagged = await deploy('apply', 'staging', 'registry.example.com/kernel:1');
    expect(tagged).toEqual({ code: 1, output: expect.stringContaining('is not NAME@sha256:DIGEST') });
    expect(await deploy('canary', 'elsewhere', CI_IMAGE)).toEqual({
      code: 2,
      output: expect.stringContaining('elsewhere'),
    });
    expect((await deploy('everything', 'staging')).code).toBe(2);
  });

  it('tests a merge request, and deploys nothing of it', async () => {
    const names = [...(await pipeline(MERGE_REQUEST)).keys()];
    expect(names).toEqual(expect.arrayContaining([...TEST_JOBS, 'dependencies', 'chart', 'dockerfile']));
    for (const name of names) expect([name, opened.jobs[name]?.environment]).toEqual([name, undefined]);
    expect(names).not.toContain('publish-image');
    // The one exception: a registry that does not say which packages are weak.
    const lenient = [...(await pipeline(MERGE_REQUEST)).values()].filter(
      (job) => job.allow_failure !== false,
    );
    expect(lenient.map((job) => [job.name, job.allow_failure])).toEqual([
      ['dependencies', { exit_codes: [75] }],
    ]);
  });

  it('deploys from protected refs alone, after every test and the gate REQUIRE_KMS', async () => {
    expect(
      [...(await pipeline(UNPROTECTED)).keys()].filter((name) => opened.jobs[name]?.environment),
    ).toEqual([]);
    expect(
      [...(await pipeline(OTHER_PROTECTED)).keys()].filter((name) => opened.jobs[name]?.environment),
    ).toEqual(['staging', 'acceptance']);
    const all = await pipeline(DEFAULT_BRANCH);
    expect([...all.keys()].filter((name) => opened.jobs[name]?.environment)).toEqual([
      'staging',
      'acceptance',
      'canary',
      'production',
      'abandon-canary',
    ]);
    for (const name of ['publish-image', 'staging', 'canary', 'production']) {
      expect([name, [...opened.needsOf(name)]]).toEqual([
        name,
        expect.arrayContaining([...TEST_JOBS, 'require-kms']),
      ]);
    }
    expect([...opened.needsOf('production')]).toEqual(
      expect.arrayContaining(['chart', 'sbom', 'sign-image', 'acceptance', 'canary']),
    );
    for (const [name, { environment, interruptible }] of Object.entries(opened.jobs)) {
      if (environment) expect([name, interruptible]).toEqual([name, false]);
    }
  }, 120_000);

  it('waits for a hand before everything that touches production', async () => {
    const all = await pipeline(DEFAULT_BRANCH);
    const production = [...all.values()].filter(
      ({ name }) => opened.jobs[name]?.environment?.name === 'production',
    );
    expect(production.map(({ name, when }) => [name, when])).toEqual([
      ['canary', 'manual'],
      ['production', 'manual'],
      ['abandon-canary', 'manual'],
    ]);
  });

  it('requires a KMS on protected refs, whatever a variable says', async () => {
    expect((await pipeline(DEFAULT_BRANCH)).get('require-kms')).toMatchObject({
      when: 'on_success',
      allow_failure: false,
    });
    expect((await pipeline(OTHER_PROTECTED)).has('require-kms')).toBe(true);
    expect((await pipeline(MERGE_REQUEST)).has('require-kms')).toBe(false);
    expect(opened.jobs['require-kms']?.script).toEqual(['REQUIRE_KMS=true ci/require_kms_check.sh']);
    const file = parse(await readFile(join(workTree(), '.gitlab-ci.yml'), 'utf8')) as {
      workflow: { rules: { if: string; variables?: Record<string, string> }[] };
    };
    const rule = file.workflow.rules.find((one) => one.if === '$CI_COMMIT_REF_PROTECTED == "true"');
    expect(rule?.variables).toEqual({ REQUIRE_KMS: 'true' });
  });

  it('runs its schedules and nothing else then', async () => {
    const scheduled = { ...DEFAULT_BRANCH, CI_PIPELINE_SOURCE: 'schedule' };
    for (const name of ['signers', 'nightly', 'tools']) {
      expect([...(await pipeline({ ...scheduled, SCHEDULE: name })).keys()]).toEqual([name]);
    }
  }, 120_000);

  it('has no secret', async () => {
    const names = [
      '.gitlab-ci.yml',
      ...readdirSync(join(opened.folder, 'ci/gitlab')).map((name) => `ci/gitlab/${name}`),
    ];
    for (const name of names) {
      const text = await readFile(join(opened.folder, name), 'utf8');
      expect([name, /(token|password|secret|key)\w*: *['"]?[A-Za-z0-9+/_-]{16,}/i.exec(text)?.[0]]).toEqual([
        name,
        undefined,
      ]);
    }
  });

  describe('run by gitlab-ci-local', () => {
    const cache = () => ({ XDG_CACHE_HOME: join(userCache(), '..') });

    it('checks its own files', async () => {
      const { code, output } = await opened.local({ ...MERGE_REQUEST, ...cache() }, 'pipeline-files');
      expect([code, output]).toEqual([0, expect.stringMatching(/PASS\s+pipeline-files/)]);
    }, 120_000);

    it('fails where an image has a tag only, and where a file is none', async () => {
      const tagged = await opened.local(
        { ...MERGE_REQUEST, ...cache(), PIPELINE_IMAGE: 'node:24' },
        'pipeline-files',
      );
      expect([tagged.code, tagged.output]).toEqual([1, expect.stringContaining('is not NAME@sha256:DIGEST')]);
      await writeFile(join(opened.folder, 'renovate.json'), '{ "extends": 1 }');
      const broken = await opened.local({ ...MERGE_REQUEST, ...cache() }, 'pipeline-files');
      expect([broken.code, broken.output]).toEqual([1, expect.stringMatching(/FAIL\s+pipeline-files/)]);
    }, 120_000);
  });
});
