import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type AuditEvent, importPublicKey, type SignerEntry, type SignerPurpose } from '#evidence';
import { EventStore, isVersionConflict } from '#platform/event-store';
import { candidates, keyToMake } from './domain/candidates';
import { KeyRegistryError } from './domain/key-registry.error';
import { type BackendKey, entryOf } from './domain/registration';
import { type KeyAsking } from './key-decisions';
import { BackendKeys } from './backend-keys';
import { RegisteredSigners } from './registered-signers';

/** Key as the registry would have it, and the position of the event that records its making. */
export type MadeKey = SignerEntry & { auditId: string; position: string };

/** Make a key in the signing backend, to rotate to or to keep for the day one is lost. It signs nothing yet. */
export class MakeKey extends Command<MadeKey> {
  constructor(
    readonly purpose: SignerPurpose,
    /** Null takes the next in the series of the key in force. */
    readonly kid: string | null,
    readonly asking: KeyAsking,
  ) {
    super();
  }
}

@CommandHandler(MakeKey)
export class MakeKeyHandler implements ICommandHandler<MakeKey, MadeKey> {
  constructor(
    private readonly store: EventStore,
    private readonly backend: BackendKeys,
    private readonly registered: RegisteredSigners,
  ) {}

  async execute({ purpose, kid, asking }: MakeKey): Promise<MadeKey> {
    const [offered, { state }] = await Promise.all([
      this.backend.keys(),
      this.registered.registry({ fresh: true }),
    ]);
    const wanted = keyToMake(state, offered, purpose, kid);
    const key = await this.backend.make(wanted.kid, wanted.purposes);
    importPublicKey(key.publicKeyPem);
    if (candidates(state, [key]).length === 0) {
      throw new KeyRegistryError(
        'signer_exists',
        `The signing proxy offers as ${key.kid} a key that is registered under another name.`,
      );
    }
    const { id, shard, seq, ts } = await this.record(key, asking);
    return { ...entryOf(key, ts, 'made on demand'), auditId: id, position: `${shard}:${seq}` };
  }

  /**
   * Records the key after it was made, since only then is the public key known, and in every mode: a lost key may be
   * the reason. When nothing can be signed now, the key exists anyway; asking again gets the same one and records it.
   */
  private async record(key: BackendKey, { actor, correlationId }: KeyAsking): Promise<AuditEvent> {
    const stream = `signer_key/${key.kid}`;
    const payload = {
      signer_kid: key.kid,
      purposes: key.purposes,
      public_key_pem: key.publicKeyPem,
      backend: key.backend,
      keyVersion: key.keyVersion,
    };
    const events = [{ type: 'signer_key.made', payload }];
    try {
      const result = await this.store.append({
        actor,
        correlationId,
        writes: [{ stream, expectedVersion: 0, events }],
        whateverTheMode: true,
      });
      const [committed] = result.replayed ? [] : result.events;
      if (committed !== undefined) return committed.event;
    } catch (error) {
      if (!isVersionConflict(error)) throw error;
    }
    const [recorded] = await this.store.loadStream(stream);
    if (recorded === undefined) throw new TypeError(`${stream} has no event`);
    return recorded.event;
  }
}
