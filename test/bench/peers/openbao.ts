import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DevelopmentCa,
  guardFolder,
  openBaoMissing,
  provisionTransit,
  releaseFolder,
  startOpenBao,
} from '#dev/devstack';
import { type Peer } from './peer';

const KEY = 'bench';

/**
 * OpenBao's transit engine over TLS, each request in its audit file: a signature without a chain, a flush or an archive.
 * The token is one that may sign with this key and nothing else.
 */
export const OPENBAO: Peer = {
  name: 'OpenBao transit, TLS, file audit',
  missing: openBaoMissing,
  async start() {
    const dir = await mkdtemp(join(tmpdir(), 'kernel-bench-openbao-'));
    guardFolder(dir);
    const ca = await DevelopmentCa.open(join(dir, 'identities'));
    const server = await startOpenBao({
      dir: join(dir, 'openbao'),
      ca,
      auditFile: join(dir, 'audit.log'),
      restart: false,
      throwaway: true,
    });
    const transit = await provisionTransit(server, { ca, kids: [KEY] });
    const made = (await server.ask('POST', 'auth/token/create', {
      policies: [transit.role],
      no_default_policy: true,
      ttl: '1h',
    })) as { auth: { client_token: string } };
    return {
      pid: server.pid ?? 0,
      url: server.address,
      tls: { ca: server.caFile },
      workload: { kind: 'transit', path: `/v1/transit/sign/${KEY}`, token: made.auth.client_token },
      async stop() {
        // A device that writes nothing would make the comparison another one.
        const audited = (await readFile(join(dir, 'audit.log'), 'utf8')).length;
        await server.stop();
        await rm(dir, { recursive: true, force: true });
        releaseFolder(dir);
        if (audited === 0) throw new Error('OpenBao did not write its audit file');
      },
    };
  },
};
