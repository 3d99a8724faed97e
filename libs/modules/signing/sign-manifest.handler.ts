import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { assertOwn, type Scope } from '#platform/edge';
import { type JsonObject, KERNEL_KINDS } from '#evidence';
import {
  answerBytes,
  appendAndAnswer,
  type Asking,
  type CommandAnswer,
  EventStore,
  findStoredAnswer,
  newEventId,
} from '#platform/event-store';
import { ManifestSigner, signatureRecord, signManifest } from '#platform/signer';
import { traced } from '#platform/tracing';
import {
  type ManifestReference,
  type ManifestSubject,
  subjectOfManifest,
  subjectOfReference,
} from './domain/manifest-subject';
import { SigningError } from './domain/signing.error';
import { SigningOptions } from './signing.options';

export type SignRequest = { manifest: JsonObject } | ManifestReference;

/** Sign a manifest, or a named digest, and record the signature in the chain. */
export class SignManifest extends Command<CommandAnswer> {
  constructor(
    readonly request: SignRequest,
    readonly scope: Scope,
    readonly asking: Asking,
  ) {
    super();
  }
}

/** Longest manifest id, in UTF-16 code units: with `manifest/` before it, it is a stream's name of at most 255. */
const MAX_MANIFEST_ID = 240;

@CommandHandler(SignManifest)
export class SignManifestHandler implements ICommandHandler<SignManifest, CommandAnswer> {
  constructor(
    private readonly store: EventStore,
    private readonly signer: ManifestSigner,
    private readonly options: SigningOptions,
  ) {}

  async execute({ request, scope, asking }: SignManifest): Promise<CommandAnswer> {
    const subject = traced('canonicalize and hash the manifest', () => subjectOf(request, scope));
    const { actor, correlationId, idempotency } = asking;
    assertOwn(scope, subject.division, 'This manifest');
    // A repeated request is answered before anything is signed: no signature may exist without a record.
    const stored = await traced('look for an earlier answer', () =>
      findStoredAnswer(this.store, idempotency),
    );
    if (stored) return stored;

    const stream = `manifest/${subject.manifestId}`;
    const signedAt = this.options.now().toISOString();
    const { division, ...named } = subject;
    const head = await this.store.recentHead(this.store.shardOf(stream));
    const { keyVersion, envelope } = await traced('sign the manifest', () =>
      signManifest(this.signer, {
        ...subject,
        origin: this.options.origin,
        signedAt,
        requestedBy: actor.id,
        head,
      }),
    );
    const id = newEventId();

    return appendAndAnswer(
      this.store,
      {
        actor,
        correlationId,
        writes: [
          {
            stream,
            expectedVersion: 'any',
            events: [
              {
                type: 'manifest.signed',
                division,
                payload: { ...subject, signatureId: id, keyVersion, envelope: { ...envelope } },
              },
            ],
          },
        ],
      },
      idempotency,
      ([committed], position) =>
        answerBytes(200, {
          audit_id: committed?.event.id,
          signature_record: signatureRecord({ ...named, id, keyVersion, signedAt, envelope }),
          position,
        }),
    );
  }
}

function subjectOf(request: SignRequest, scope: Scope): ManifestSubject {
  if (scope !== 'all' && !('manifest' in request)) {
    throw new SigningError(
      'manifest_required',
      `A digest does not show that the manifest is of the division ${scope.division}; send the manifest itself.`,
    );
  }
  const subject = 'manifest' in request ? subjectOfManifest(request.manifest) : subjectOfReference(request);
  if (subject.manifestId.length > MAX_MANIFEST_ID) {
    throw new SigningError(
      'manifest_id_too_long',
      `The manifest id has ${subject.manifestId.length} characters; at most ${MAX_MANIFEST_ID} are allowed.`,
    );
  }
  if (KERNEL_KINDS.has(subject.kind)) {
    throw new SigningError(
      'reserved_kind',
      `A signature of the kind "${subject.kind}" is what the kernel itself decides on; choose another kind.`,
    );
  }
  return subject;
}
