import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkMigration } from '#platform/event-store';
import { openArchive } from '#platform/archive';
import { loadPart } from '#platform/process';
import { programFolder } from '#dev/devstack';
import { replayArchiveConfig } from '../../replay/replay.config';
import { type Facts, type Limits, type Looked, type SchemaFacts } from '../facts';
import { type Places } from '../places';
import { looked } from './bounded';
import { databaseAt, schemaAt } from './database';
import { endpointsAt } from './endpoints';
import { certificatesOf, disksOf, logsOf, pemFilesIn, privateFilesIn } from './files';
import { brokerProblem, openBaoAt, takenPorts } from './servers';
import { compareSigners } from './signers';

/** Roles that `up` gives its processes, and the defaults of `migrate`. */
const ROLES = { runtimeRole: 'kernel_runtime', workerRole: 'kernel_worker' };
const REACH_TIMEOUT_MS = 4_000;

/** Looks at everything at once; no part waits for another, and none takes longer than its time. */
export async function gatherFacts(places: Places, limits: Limits): Promise<Facts> {
  const at = Date.now();
  const { run, databaseUrl, owner, archive, openBao, signersFile, api } = places;
  const stopped = places.kind === 'state folder' && run?.supervised !== true;
  const unasked = (what: string): string => (stopped ? 'the kernel is not running' : what);
  const [
    endpoints,
    ports,
    database,
    schema,
    kafka,
    archived,
    bao,
    disks,
    certificates,
    privateFiles,
    logs,
    signers,
    program,
  ] = await Promise.all([
    when(places.endpoints.length > 0, unasked('no --process was given'), () => endpointsAt(places.endpoints)),
    when(places.kind === 'state folder', 'ports are known of a state folder only', () =>
      takenPorts(places.ports),
    ),
    given(databaseUrl, unasked('set DATABASE_URL, as a role that may read'), databaseAt),
    given(databaseUrl, unasked('set DATABASE_URL, as a role that may read'), async (url) =>
      schemaOf(url, owner),
    ),
    when(
      places.brokers.length > 0,
      unasked('set KAFKA_BROKERS; brokers with TLS are seen by /ready of the relay'),
      () =>
        Promise.all(places.brokers.map(async (broker) => ({ broker, problem: await brokerProblem(broker) }))),
    ),
    given(archive, unasked('set KERNEL_ARCHIVE and what belongs to it'), archiveAt),
    given(
      openBao,
      unasked('the keys are not in OpenBao, or --openbao-url was not given'),
      async ({ url, caFile }) =>
        openBaoAt(url, caFile === undefined ? undefined : await readFile(caFile, 'utf8')),
    ),
    when(places.disks.length > 0, 'no --disk was given; /ready of each process tells of its own', () =>
      disksOf(places.disks),
    ),
    when(
      places.certificateFolder !== undefined || places.certificateFiles.length > 0,
      'no --certificates were given; the processes tell of their own',
      async () => {
        const { certificateFolder: folder, certificateFiles } = places;
        return certificatesOf([
          ...(folder === undefined ? [] : await pemFilesIn(folder)),
          ...certificateFiles,
        ]);
      },
    ),
    given(places.privateFolder, 'files of a deployment are not here', privateFilesIn),
    when(places.logs.length > 0, 'no --log was given', () => logsOf(places.logs, at)),
    signersFile === undefined || api === undefined
      ? notAsked(
          signersFile === undefined
            ? 'no --signers was given'
            : unasked('KERNEL_API_URL and an identity are not set'),
        )
      : looked(() => compareSigners(signersFile, api)),
    looked(() => programOf(places)),
  ]);
  const seenRun: Facts['run'] =
    run === undefined ? notAsked('a deployment has no state folder') : { kind: 'seen', value: run };
  return {
    at,
    limits,
    run: seenRun,
    ...{ endpoints, ports, database, schema, kafka, archive: archived, openBao: bao, disks },
    ...{ certificates, privateFiles, logs, signers, program },
  };
}

function notAsked(why: string): { readonly kind: 'not asked'; readonly why: string } {
  return { kind: 'not asked', why };
}

async function when<T>(is: boolean, why: string, look: () => Promise<T>): Promise<Looked<T>> {
  return is ? await looked(look) : notAsked(why);
}

async function given<P, T>(
  place: P | undefined,
  why: string,
  look: (place: P) => Promise<T>,
): Promise<Looked<T>> {
  return place === undefined ? notAsked(why) : await looked(() => look(place));
}

async function schemaOf(url: string, owner: Places['owner']): Promise<SchemaFacts> {
  const facts = await schemaAt(url);
  if (owner === undefined || facts.missing.length > 0) return facts;
  const { origin, shards } = owner;
  return { ...facts, problems: await checkMigration(owner.url, { origin, shards, ...ROLES }) };
}

async function archiveAt({
  name,
  variables,
}: NonNullable<Places['archive']>): Promise<{ name: string; problem: string | null }> {
  const archive = await openArchive(loadPart(replayArchiveConfig, variables), { parallel: 1 });
  try {
    await archive.reach(AbortSignal.timeout(REACH_TIMEOUT_MS));
    return { name, problem: null };
  } catch (error) {
    return { name, problem: (error as Error).message };
  } finally {
    void archive.close().catch(() => undefined);
  }
}

async function programOf({ build }: Places) {
  const manifest = JSON.parse(await readFile(join(programFolder(), 'package.json'), 'utf8')) as {
    engines?: { node?: string };
  };
  return {
    node: process.versions.node,
    leastNode: manifest.engines?.node ?? '',
    build: build === undefined ? null : { digest: build.digest, movedOn: await build.movedOn() },
  };
}
