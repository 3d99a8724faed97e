import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { workTree } from '#dev/testing';
import { pipelineLintTools } from './pipeline-tools';

export interface Job {
  script?: string[];
  before_script?: string[];
  needs?: (string | { job: string })[];
  image?: { name: string };
  services?: unknown[];
  environment?: { name: string };
  interruptible?: boolean;
}
export interface ListedJob {
  name: string;
  when: 'on_success' | 'manual' | 'never';
  allow_failure: boolean | { exit_codes: number[] };
}
export interface Run {
  code: number;
  output: string;
}

export const CI_IMAGE = `registry.example.com/ci@sha256:${'0'.repeat(64)}`;

/** The pipeline's files in a repository of their own, since the work tree may have changes that git does not know. */
export class LocalPipeline {
  private readonly pipelines = new Map<Record<string, string>, Promise<Map<string, ListedJob>>>();
  /** Every job, with what it extends. */
  jobs: Record<string, Job> = {};

  private constructor(readonly folder: string) {}

  static async open(): Promise<LocalPipeline> {
    const pipeline = new LocalPipeline(await mkdtemp(join(tmpdir(), 'kernel-test-gitlab-ci-')));
    for (const name of ['.gitlab-ci.yml', 'renovate.json', 'ci', 'scripts', 'package-lock.json']) {
      await cp(join(workTree(), name), join(pipeline.folder, name), { recursive: true });
    }
    const author = ['-c', 'user.name=test', '-c', 'user.email=test@example.com'];
    await pipeline.must('git', ['init', '--quiet', '--initial-branch', 'main']);
    await pipeline.must('git', ['add', '--all']);
    await pipeline.must('git', [...author, 'commit', '--quiet', '--message', 'test']);
    await pipeline.must('git', ['remote', 'add', 'origin', 'https://gitlab.example.com/illuvrse/kernel.git']);
    await pipeline.must('git', ['update-ref', 'refs/remotes/origin/main', 'HEAD']);
    await pipeline.must('git', ['remote', 'set-head', 'origin', 'main']);
    const { code, output } = await pipeline.local({}, '--preview');
    if (code !== 0) throw new Error(output);
    const all = parse(output.slice(output.indexOf('---\n'))) as Record<string, Job>;
    const isJob = ([, one]: [string, Job]) => Array.isArray(one.script);
    pipeline.jobs = Object.fromEntries(Object.entries(all).filter(isJob));
    return pipeline;
  }

  async close(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  run(program: string, args: readonly string[]): Promise<Run> {
    const PATH = `${pipelineLintTools() ?? ''}:${join(process.execPath, '..')}:/usr/local/bin:/usr/bin:/bin`;
    const options = { cwd: this.folder, maxBuffer: 64 * 1024 * 1024, env: { PATH, HOME: this.folder } };
    return new Promise((resolve) => {
      execFile(program, args, options, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? 1) : 0, output: error ? stdout + stderr : stdout }),
      );
    });
  }

  /** Runs gitlab-ci-local with these variables, in this machine's shell. */
  local(variables: Record<string, string>, ...args: string[]): Promise<Run> {
    const all: Record<string, string> = { PIPELINE_IMAGE: CI_IMAGE, ...variables };
    return this.run('gitlab-ci-local', [
      '--force-shell-executor',
      '--ignore-predefined-vars',
      Object.keys(all).join(','),
      ...Object.entries(all).flatMap(([name, value]) => ['--variable', `${name}=${value}`]),
      ...args,
    ]);
  }

  /** The jobs that GitLab would run with these variables; asked once for each kind. */
  of(variables: Record<string, string>): Promise<Map<string, ListedJob>> {
    const known = this.pipelines.get(variables) ?? this.listed(variables);
    this.pipelines.set(variables, known);
    return known;
  }

  needsOf(name: string): Set<string> {
    const needs = (this.jobs[name]?.needs ?? []).map((need) => (typeof need === 'string' ? need : need.job));
    return new Set(needs.flatMap((need) => [need, ...this.needsOf(need)]));
  }

  private async listed(variables: Record<string, string>): Promise<Map<string, ListedJob>> {
    const { code, output } = await this.local(variables, '--list-json');
    if (code !== 0) throw new Error(output);
    const all = JSON.parse(output.slice(output.indexOf('[\n'))) as ListedJob[];
    // `integration: [1/4]` is a part of `integration`.
    const named = all.map((job) => ({ ...job, name: job.name.replace(/: \[.*/, '') }));
    return new Map(named.filter(({ when }) => when !== 'never').map((job) => [job.name, job]));
  }

  private async must(program: string, args: readonly string[]): Promise<void> {
    const { code, output } = await this.run(program, args);
    if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${output}`);
  }
}
