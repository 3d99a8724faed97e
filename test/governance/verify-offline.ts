import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { workTree } from '#dev/testing';
import { type ContractClient } from '../contract/contract.client';

/**
 * Runs the committed verifier over the evidence of an upgrade, with the kernel's own public keys and nothing else.
 * @param change what a forger would do to the file
 * @param options of the verifier
 */
export async function verifyOffline(
  client: ContractClient,
  folder: string,
  id: string,
  change: (file: string) => string = (file) => file,
  ...options: string[]
): Promise<{ code: number; output: string }> {
  const evidence = join(folder, `${id}.json`);
  await writeFile(evidence, change((await client.get(`/kernel/upgrade/${id}/evidence`)).text));
  const signers = join(folder, 'signers.json');
  await writeFile(signers, (await client.get('/kernel/keys/signers.json')).text);
  return verifyFile(evidence, signers, ...options);
}

/** Runs the verifier over evidence and public keys that are files. */
export async function verifyFile(
  evidence: string,
  signers: string,
  ...options: string[]
): Promise<{ code: number; output: string }> {
  const args = [
    join(workTree(), 'tools', 'audit-verify.js'),
    '--upgrade',
    evidence,
    '--signers',
    signers,
    ...options,
  ];
  return new Promise((resolve) => {
    execFile(process.execPath, args, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, output: stdout + stderr });
    });
  });
}
