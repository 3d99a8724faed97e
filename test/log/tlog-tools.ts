import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { userCache } from '#dev/devstack';
import { describeWith, workTree } from '#dev/testing';

/** The programs that scripts/install-tlog-tools.sh builds; the versions are the same there. */
type Tool = 'fsck' | 'follow' | 'litewitness' | 'receipt' | 'witnessclient';

const VERSIONS = '0.6.1-1.0.4';
const SOURCES = ['go.mod', 'go.sum', 'follow/main.go', 'receipt/main.go', 'witnessclient/main.go'];
const TIMEOUT_MS = 120_000;

export interface ToolResult {
  code: number;
  output: string;
}

export function tlogTool(tool: Tool): string {
  return join(folder(), tool);
}

/** A suite that needs the programs of others (describeWith). */
export function describeWithTlogTools(name: string, suite: () => void): void {
  const missing = existsSync(tlogTool('litewitness'))
    ? null
    : 'the tools for transparency logs are not installed (scripts/install-tlog-tools.sh builds them with Go)';
  describeWith({ missing }, name, suite);
}

/** Runs a program to its end. */
export function runTool(tool: Tool, args: readonly string[]): Promise<ToolResult> {
  return new Promise((resolve) => {
    execFile(tlogTool(tool), [...args], { timeout: TIMEOUT_MS, env: {} }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: `${stdout}${stderr}` });
    });
  });
}

/**
 * Tessera's fsck over a log: every tile, entry and the checkpoint. Its exit code says nothing, its output does.
 * @param url the prefix of the log; `file:///dir/log/0/` for a folder
 * @param scratch folder for the key
 */
export async function fsck(url: string, vkey: string, scratch: string): Promise<ToolResult> {
  const key = join(scratch, 'fsck.vkey');
  await writeFile(key, vkey);
  const { code, output } = await runTool('fsck', [
    `--storage_url=${url}`,
    `--public_key=${key}`,
    '--ui=false',
    '--logtostderr',
    '--N=4',
  ]);
  return { code: code !== 0 || output.includes('fsck failed') ? 1 : 0, output };
}

function folder(): string {
  const sources = SOURCES.map((file) => readFileSync(join(workTree(), 'test/log/go', file)));
  const digest = createHash('sha256').update(Buffer.concat(sources)).digest('hex').slice(0, 12);
  return join(userCache(), `tlog-tools-${VERSIONS}-${digest}`);
}
