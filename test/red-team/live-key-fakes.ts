import {
  addCheckpointText,
  buildEnvelope,
  dssePae,
  type JsonObject,
  logName,
  MANIFEST_PAYLOAD_TYPE,
  manifestDigest,
  manifestStatement,
} from '#evidence';
import { SmallLog } from '../log/small-log';
import { WitnessProcess } from '../log/witness-process';
import { type Fake, fakesOf, type Table } from './fake';
import { KEYS, type LiveKernel, refusalOf } from './live-kernel';

const LIE = { id: 'template', version: '1', kind: 'agent-template', image: 'sha256:of-the-thief' };

/** An envelope by a stolen key, as this kernel would have made it. */
async function forged(
  k: LiveKernel,
  kid: string,
  { origin = k.origin, keyid = kid, kind = LIE.kind } = {},
): Promise<JsonObject> {
  const payload = manifestStatement({
    manifestId: LIE.id,
    version: LIE.version,
    kind,
    division: null,
    origin,
    signedAt: new Date().toISOString(),
    requestedBy: 'deployer',
    auditSeqAfter: '0:1',
    sha256: manifestDigest(LIE),
  });
  const signature = (await k.stolen(kid)).sign(dssePae(MANIFEST_PAYLOAD_TYPE, payload));
  return { ...buildEnvelope(payload, keyid, signature) };
}

/** Has an agent spawned from the thief's template. @returns the word with which the kernel refuses it */
async function spawned(k: LiveKernel, envelope: JsonObject, more: JsonObject = {}): Promise<string[]> {
  const template = { manifest: LIE, envelope, ...more };
  return refusalOf(await k.as('OPERATOR').post('/kernel/agent', { divisionId: 'finance', template }));
}

/** The key that the kernel signs manifests with now; nobody has noticed. */
const MANIFEST_KEY: Table<LiveKernel> = [
  [
    'an agent from a template that the kernel never signed',
    'template_not_recorded',
    async (k) => spawned(k, await forged(k, KEYS.manifest)),
  ],
  [
    'an agent from a template that another signature vouches for',
    'template_not_recorded',
    async (k) => spawned(k, await forged(k, KEYS.manifest), { auditId: k.story.template }),
  ],
  [
    'an agent from a template that an event vouches for which is no signature',
    'template_not_recorded',
    async (k) => spawned(k, await forged(k, KEYS.manifest), { auditId: k.story.event }),
  ],
  [
    'an agent from the authorisation of a deployment',
    'template_not_recorded',
    async (k) => spawned(k, await forged(k, KEYS.manifest, { kind: 'deployment-authorization' })),
  ],
  [
    "an agent from another kernel's template",
    'invalid_signature',
    async (k) => spawned(k, await forged(k, KEYS.manifest, { origin: 'kernel.example.com/other' })),
  ],
  [
    'an agent from a template in the name of the audit key',
    'invalid_signature',
    async (k) => spawned(k, await forged(k, KEYS.manifest, { keyid: KEYS.audit })),
  ],
  [
    'an agent from a template by a key that waits, and is not registered',
    'invalid_signature',
    async (k) => spawned(k, await forged(k, 'kernel-manifest-ed25519-v2')),
  ],
];

/** The key that a kernel signs its checkpoints with, and a witness that has cosigned 200 events of it. */
export class WitnessedLog {
  readonly genuine: SmallLog;
  readonly fork: SmallLog;
  readonly stranger: SmallLog;

  private constructor(
    readonly process: WitnessProcess,
    readonly origin: string,
  ) {
    this.genuine = new SmallLog(origin).grow(300);
    this.fork = new SmallLog(origin, 0, this.genuine).grow(150).grow(300, 'lie');
    this.stranger = new SmallLog(origin).grow(300);
  }

  static async start(): Promise<WitnessedLog> {
    const witness = await WitnessProcess.make('witness.example.com/red-team');
    const log = new WitnessedLog(witness, 'kernel.example.com/witnessed');
    await witness.start([log.genuine.vkey]);
    for (const [from, to] of [
      [0, 100],
      [100, 200],
    ] as const) {
      const words = await log.ask(log.genuine, to, from);
      if (words.length > 0) throw new Error(`the genuine log is refused: ${words.join()}`);
    }
    return log;
  }

  stop(): Promise<void> {
    return this.process.remove();
  }

  /**
   * Asks the witness to cosign the checkpoint of a log at a size.
   * @param proof the tree that the proof of consistency is from; null: there is none
   * @returns the status of its refusal (c2sp.org/tlog-witness); none when it cosigned
   */
  async ask(
    log: SmallLog,
    size: number,
    old: number,
    proof: SmallLog | null = log,
    edit = (note: string): string => note,
  ): Promise<string[]> {
    const consistency = proof === null ? [] : await proof.consistency(old, size);
    const checkpoint = edit(await log.checkpoint(size));
    const body = addCheckpointText({ oldSize: old, consistency, checkpoint });
    const answer = await fetch(`${this.process.url}/add-checkpoint`, { method: 'POST', body });
    return answer.ok ? [] : [String(answer.status)];
  }
}

const CHECKPOINT_KEY: Table<WitnessedLog> = [
  ['a second view of the size that the witness has cosigned', '409', (w) => w.ask(w.fork, 200, 200)],
  ['a second view that goes on, with its own proof', '422', (w) => w.ask(w.fork, 300, 200)],
  ['a second view that goes on, with the genuine proof', '422', (w) => w.ask(w.fork, 300, 200, w.genuine)],
  ['a second view that goes on, without a proof', '422', (w) => w.ask(w.fork, 300, 200, null)],
  ['a log that was put back, to the witness', '409', (w) => w.ask(w.genuine, 100, 100)],
  ['a log that was put back, as if it were new', '409', (w) => w.ask(w.genuine, 100, 0)],
  ['a second view as if it were new', '409', (w) => w.ask(w.fork, 300, 0)],
  ['a second view from where both were one', '409', (w) => w.ask(w.fork, 300, 150)],
  ['a log in the name of the genuine one, by another key', '403', (w) => w.ask(w.stranger, 300, 200)],
  [
    'a log that the witness does not know',
    '404',
    (w) => w.ask(new SmallLog('kernel.example.com/unknown').grow(300), 300, 0),
  ],
  [
    'a shard that the witness does not know',
    '404',
    (w) => w.ask(new SmallLog(w.origin, 7, w.genuine).grow(300), 300, 0),
  ],
  [
    'the genuine log, with another size on its checkpoint',
    '403',
    (w) => w.ask(w.genuine, 300, 200, w.genuine, (note) => note.replace('\n300\n', '\n301\n')),
  ],
  [
    'the genuine log in the name of another',
    '404',
    (w) =>
      w.ask(w.genuine, 300, 200, w.genuine, (note) =>
        note.replaceAll(logName(w.origin, 0), logName(w.origin, 3)),
      ),
  ],
];

/** With the private keys of a running kernel. */
export const LIVE_KEY_FAKES: Fake<LiveKernel>[] = fakesOf('manifest-key', MANIFEST_KEY);

/** With the checkpoint key of a log that a witness follows. */
export const WITNESS_FAKES: Fake<WitnessedLog>[] = fakesOf('checkpoint-key', CHECKPOINT_KEY);
