import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DIVISION_MANIFEST, type JsonObject } from '#evidence';
import { ManifestSigner, signManifest } from '#platform/signer';
import {
  type Asking,
  answerBytes,
  appendAndAnswer,
  type CommandAnswer,
  ContendedDecisions,
  EventStore,
  newEventId,
  type StoredEvent,
} from '#platform/event-store';
import { assertOwn, type Scope } from '#platform/edge';
import { DivisionReader } from './division.reader';
import { divisionView } from './division.view';
import { accountStream } from './domain/account';
import {
  decideDivision,
  type DivisionEvent,
  type DivisionState,
  divisionStream,
  evolveDivision,
} from './domain/division';
import { DivisionsOptions } from './divisions.options';
import { DivisionError } from './domain/division.error';

/** Register a division, or replace its manifest by the next version: signed and recorded in one commit. */
export class RegisterDivision extends Command<CommandAnswer> {
  constructor(
    /** Its `version` is the one it is based on. */
    readonly manifest: JsonObject & { id: string },
    readonly scope: Scope,
    readonly asking: Asking,
  ) {
    super();
  }
}

@CommandHandler(RegisterDivision)
export class RegisterDivisionHandler implements ICommandHandler<RegisterDivision, CommandAnswer> {
  private readonly contended: ContendedDecisions;

  constructor(
    private readonly store: EventStore,
    private readonly reader: DivisionReader,
    private readonly signer: ManifestSigner,
    private readonly options: DivisionsOptions,
  ) {
    this.contended = new ContendedDecisions(store, DivisionError);
  }

  async execute({ manifest, scope, asking }: RegisterDivision): Promise<CommandAnswer> {
    const { id } = manifest;
    assertOwn(scope, id, 'This division');
    return this.contended.decide(divisionStream(id), asking.idempotency, () =>
      this.attempt(id, manifest, asking),
    );
  }

  private async attempt(
    id: string,
    manifest: JsonObject,
    { actor, correlationId, idempotency }: Asking,
  ): Promise<CommandAnswer> {
    const [division, account] = await Promise.all([this.reader.division(id), this.reader.account(id)]);
    const { type, payload } = decideDivision(division.state, manifest, account.state);
    // Signed last, when only the commit can still fail.
    const signature = await this.sign(payload, actor.id);
    return appendAndAnswer(
      this.store,
      {
        actor,
        correlationId,
        causationId: division.state?.eventId ?? null,
        writes: [
          {
            stream: divisionStream(id),
            expectedVersion: division.version,
            events: [{ type, division: id, payload: { ...payload, signature: { ...signature } } }],
          },
        ],
        // A budget cut and an allocation from that budget cannot miss each other.
        requires: [{ stream: accountStream(id), version: account.version }],
      },
      idempotency,
      (committed, position) =>
        answerBytes(200, { ...divisionView(after(division.state, committed), account.state), position }),
    );
  }

  private async sign({ division, version, manifestSha256 }: DivisionEvent['payload'], requestedBy: string) {
    const signedAt = this.options.now().toISOString();
    const { keyVersion, envelope } = await signManifest(this.signer, {
      manifestId: division,
      version: String(version),
      kind: DIVISION_MANIFEST,
      division,
      sha256: manifestSha256,
      origin: this.options.origin,
      signedAt,
      requestedBy,
      head: await this.store.recentHead(this.store.shardOf(divisionStream(division))),
    });
    return { id: newEventId(), keyVersion, signedAt, envelope: { ...envelope } };
  }
}

function after(state: DivisionState | null, committed: readonly StoredEvent[]): DivisionState {
  const division = committed.reduce((before, { event }) => evolveDivision(before, event), state);
  if (division === null) throw new TypeError('nothing was decided about this division');
  return division;
}
