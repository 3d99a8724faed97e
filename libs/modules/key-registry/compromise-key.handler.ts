import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type CompromisedKey } from '#openapi/kernel';
import { type ReattestedRange, type SignerEntry } from '#evidence';
import { EventStore, EventStoreError, type StoredEvent, ModeSource } from '#platform/event-store';
import { candidates, successorOf } from './domain/candidates';
import { type KeyCommand, keyOf } from './domain/key-registry.decider';
import { KeyRegistryError } from './domain/key-registry.error';
import { type BackendKey } from './domain/registration';
import { type KeyAsking, KeyDecisions } from './key-decisions';
import { BackendKeys } from './backend-keys';
import { KeyRegistryOptions } from './key-registry.options';
import { RegistrationStores } from './registration-stores';
import { WriteHold } from './key-registry.ports';
import { RegisteredSigners } from './registered-signers';
import { SigningKeys } from './signing-keys';

/** Start of the doubt about a key: a position of the chain, or a time (RFC 3339). */
export type Since = { shard: number; seq: number } | { ts: string };

/** Cut off a key that others may have, without losing what it signed before. */
export class CompromiseKey extends Command<CompromisedKey> {
  constructor(
    readonly kid: string,
    readonly since: Since,
    readonly reason: string,
    /** The key that replaces it; null takes the first that the signing backend holds for it. */
    readonly emergencyKid: string | null,
    /** Leave the kernel read-only until a person changes the mode. */
    readonly stayReadOnly: boolean,
    readonly asking: KeyAsking,
  ) {
    super();
  }
}

/**
 * How far the clocks of a shard's writers may have been apart from those of another: the doubt about the other shards
 * begins so much earlier. It costs only that the kernel stands by more of its own events.
 */
const CLOCKS_APART_MS = 2 * 60 * 60 * 1_000;

interface Doubt {
  compromisedAt: string;
  since: { shard: number; seq: number }[];
}

/**
 * One command from the alarm to a kernel that writes again, in steps that may each be repeated after a crash: no more
 * writes; a new key that replaces the lost one, which ends there; a statement, signed by the new one, of the events in
 * doubt and those that the kernel confirms; writes again.
 */
@CommandHandler(CompromiseKey)
export class CompromiseKeyHandler implements ICommandHandler<CompromiseKey, CompromisedKey> {
  constructor(
    private readonly decisions: KeyDecisions,
    private readonly registered: RegisteredSigners,
    private readonly backend: BackendKeys,
    private readonly keys: SigningKeys,
    private readonly store: EventStore,
    private readonly stores: RegistrationStores,
    private readonly holds: WriteHold,
    private readonly modes: ModeSource,
    private readonly options: KeyRegistryOptions,
  ) {}

  async execute(command: CompromiseKey): Promise<CompromisedKey> {
    const { kid, reason, asking } = command;
    const { entry } = keyOf((await this.registered.registry({ fresh: true })).state, kid);
    const doubt = await this.doubtSince(command.since);
    // Nothing is recorded without an audit key. Other purposes stop by themselves: no process signs with a key that ended.
    const hold = entry.purposes.includes('audit')
      ? await this.holds.begin(`The key ${kid} is compromised`, reason, asking.actor)
      : null;
    const emergency = entry.status === 'active' ? await this.emergency(command, entry, doubt) : undefined;
    await this.keys.lookAgain();
    const statement = await this.statement(command, entry, doubt);
    if (!command.stayReadOnly) await hold?.end(`The key ${kid} was replaced and its signatures re-attested.`);
    return this.answer(kid, emergency, statement);
  }

  /** The time of a position, or the positions of a time. */
  private async doubtSince(since: Since): Promise<Doubt> {
    let compromisedAt: string;
    if ('ts' in since) compromisedAt = new Date(since.ts).toISOString();
    else {
      const [event] = await this.store
        .read(since.shard, { afterSeq: since.seq - 1, limit: 1 })
        .catch((error: unknown) => {
          if (error instanceof EventStoreError && error.code === 'invalid_request') return [];
          throw error;
        });
      if (event?.event.seq !== since.seq) {
        throw new KeyRegistryError('invalid_since', `There is no event at ${since.shard}:${since.seq}.`);
      }
      compromisedAt = event.event.ts;
    }
    if (Date.parse(compromisedAt) > (await this.decisions.now())) {
      throw new KeyRegistryError('invalid_since', `${compromisedAt} is yet to come.`);
    }
    // A position is exact in its own shard. In the others the clocks of their writers are all there is to go by.
    const elsewhere =
      'ts' in since
        ? compromisedAt
        : new Date(Math.max(0, Date.parse(compromisedAt) - CLOCKS_APART_MS)).toISOString();
    const positions = (await this.store.heads()).map(async ({ shard }) => {
      const exact = 'seq' in since && since.shard === shard;
      return { shard, seq: exact ? since.seq : await this.store.firstSeqAt(shard, elsewhere) };
    });
    return { compromisedAt, since: await Promise.all(positions) };
  }

  private async emergency(
    { kid, reason, emergencyKid, asking }: CompromiseKey,
    old: SignerEntry,
    { compromisedAt }: Doubt,
  ): Promise<StoredEvent | undefined> {
    const offered = await this.backend.keys();
    let successor: BackendKey | undefined;
    const command = async (): Promise<KeyCommand> => {
      const { state } = await this.registered.registry();
      const now = this.options.now().toISOString();
      const to = successorOf(old, candidates(state, offered), emergencyKid, now);
      successor = offered.find((key) => key.kid === to.signer_kid);
      const counterSignature = await this.backend.prove(kid, to);
      return { kind: 'emergency', from: kid, to, counterSignature, reason, compromisedAt };
    };
    const decide = (store?: EventStore) =>
      this.decisions.decide(command, asking, { whateverTheMode: true, ...(store && { store }) });
    try {
      return (await decide())[0];
    } catch (error) {
      const cannotSign = error instanceof EventStoreError && error.code === 'signing_unavailable';
      if (!cannotSign || successor === undefined || !old.purposes.includes('audit')) throw error;
      // The lost key no longer signs anything, not even this: the new one does, and signers.json vouches for it.
      const store = this.stores.signedBy(successor);
      try {
        return (await decide(store))[0];
      } finally {
        await store.close();
      }
    }
  }

  private async statement(
    { kid, reason, asking }: CompromiseKey,
    entry: SignerEntry,
    doubt: Doubt,
  ): Promise<StoredEvent | undefined> {
    const compromise = async (): Promise<KeyCommand> => {
      // Nothing more can be signed with the key, so this is complete.
      const found = await Promise.all(
        doubt.since.map(({ shard, seq }) => this.store.signedBy(kid, shard, seq)),
      );
      const reattested = entry.purposes.includes('audit')
        ? found.filter((range): range is ReattestedRange => range !== null)
        : [];
      return { kind: 'compromise', kid, reason, ...doubt, reattested };
    };
    return (await this.decisions.decide(compromise, asking, { whateverTheMode: true }))[0];
  }

  private async answer(
    kid: string,
    emergency: StoredEvent | undefined,
    statement: StoredEvent | undefined,
  ): Promise<CompromisedKey> {
    const { state } = await this.registered.registry({ fresh: true });
    const { entry, doubt } = keyOf(state, kid);
    // The newest of them: during the overlap of a rotation an older one is active too.
    const later = [...state.keys.values()].findLast(
      ({ entry: other }) =>
        other.status === 'active' && entry.purposes.every((purpose) => other.purposes.includes(purpose)),
    );
    return {
      kid,
      emergencyKid: later?.entry.signer_kid ?? '',
      compromisedAt: entry.compromisedAt ?? '',
      since: [...(doubt?.since ?? [])].map(([shard, seq]) => ({ shard, seq })),
      reattested: [...(doubt?.reattested ?? [])],
      emergencyPosition: emergency === undefined ? null : positionOf(emergency.event),
      position: positionOf(statement?.event ?? doubt?.by ?? { shard: 0, seq: 0 }),
      mode: this.modes.current.mode,
    };
  }
}

function positionOf({ shard, seq }: { shard: number; seq: number }): string {
  return `${shard}:${seq}`;
}
