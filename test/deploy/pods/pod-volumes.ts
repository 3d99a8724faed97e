import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PodSpec, type ProjectedSource, type Volume } from './pod-spec';

export type Files = Readonly<Record<string, string>>;

/** What the volumes of pods are made from. */
export interface VolumeSources {
  configMap(name: string): Files;
  secret(name: string): Files;
  /** What a SecretProviderClass mounts for pods of this account: contents and mode of each file. */
  secretsOf(
    secretProviderClass: string,
    account: string,
  ): Promise<Record<string, { text: string; mode: number }>>;
  token(account: string, audience: string, seconds: number): Promise<string>;
}

const FOLDER_MODE = 0o755;

/**
 * Writes the volumes of a pod as the kubelet and the driver of secrets do: files of root's, readable by the group of the pod.
 * @returns the folder of each volume that is not an emptyDir
 */
export async function writeVolumes(
  spec: PodSpec,
  dir: string,
  sources: VolumeSources,
): Promise<Map<string, string>> {
  const folders = new Map<string, string>();
  for (const volume of spec.volumes) {
    if ('emptyDir' in volume) continue;
    const folder = join(dir, volume.name);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await chmod(folder, FOLDER_MODE);
    const files = await filesOf(volume, spec.serviceAccountName, sources);
    for (const [name, { text, mode }] of Object.entries(files)) {
      const path = join(folder, name);
      await writeFile(path, text, { mode: 0o600 });
      await chown(path, 0, spec.securityContext.fsGroup);
      await chmod(path, mode);
    }
    folders.set(volume.name, folder);
  }
  return folders;
}

async function filesOf(
  volume: Exclude<Volume, { emptyDir: unknown }>,
  account: string,
  sources: VolumeSources,
): Promise<Record<string, { text: string; mode: number }>> {
  if ('csi' in volume) return sources.secretsOf(volume.csi.volumeAttributes.secretProviderClass, account);
  if ('secret' in volume) {
    const { secretName, defaultMode, items } = volume.secret;
    return withMode(chosen(`Secret ${secretName}`, sources.secret(secretName), items), defaultMode);
  }
  const { defaultMode, sources: projected } = volume.projected;
  const files: Record<string, string> = {};
  for (const source of projected) Object.assign(files, await projectedFiles(source, account, sources));
  return withMode(files, defaultMode);
}

async function projectedFiles(
  source: ProjectedSource,
  account: string,
  sources: VolumeSources,
): Promise<Files> {
  if ('serviceAccountToken' in source) {
    const { path, audience, expirationSeconds } = source.serviceAccountToken;
    return { [path]: await sources.token(account, audience, expirationSeconds) };
  }
  const { name, items } = source.configMap;
  return chosen(`ConfigMap ${name}`, sources.configMap(name), items);
}

function chosen(of: string, all: Files, items: { key: string; path: string }[] | undefined): Files {
  if (items === undefined) return all;
  return Object.fromEntries(
    items.map(({ key, path }) => {
      const text = all[key];
      // A pod would wait for it.
      if (text === undefined) throw new Error(`the ${of} has no "${key}"`);
      return [path, text];
    }),
  );
}

function withMode(files: Files, mode: number): Record<string, { text: string; mode: number }> {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [name, { text, mode }]));
}
