import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { AccessError, type Scope, withinScope } from '#platform/edge';
import {
  type Actor,
  buildEnvelope,
  dssePae,
  type JsonObject,
  MANIFEST_PAYLOAD_TYPE,
  manifestStatement,
} from '#evidence';
import {
  answerBytes,
  appendAndAnswer,
  type CommandAnswer,
  EventStore,
  findStoredAnswer,
  type IdempotencyClaim,
  newEventId,
} from '#platform/event-store';
import { signatureRecord } from './domain/signature-record';
import {
  type ManifestReference,
  type ManifestSubject,
  RESERVED_KINDS,
  subjectOfManifest,
  subjectOfReference,
} from './domain/manifest-subject';
import { SigningError } from './domain/signing.error';
import { ManifestSigner, SigningOptions } from './signing.ports';

export type SignRequest = { manifest: JsonObject } | ManifestReference;

/** Sign a manifest, or a named digest, and record the signature in the chain. */
export class SignManifest extends Command<CommandAnswer> {
  constructor(
    readonly request: SignRequest,
    readonly actor: Actor,
    readonly scope: Scope,
    readonly correlationId: string | null,
    readonly idempotency: IdempotencyClaim | null,
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

  async execute(command: SignManifest): Promise<CommandAnswer> {
    const subject = subjectOf(command.request);
    if (!withinScope(command.scope, subject.division)) {
      throw new AccessError(
        'forbidden',
        'This manifest does not belong to the division that the caller leads.',
        {
          division: subject.division,
        },
      );
    }
    // A repeated request is answered before anything is signed: a signature that nobody records must not come to be.
    const stored = await findStoredAnswer(this.store, command.idempotency);
    if (stored) return stored;

    const stream = `manifest/${subject.manifestId}`;
    const head = await this.store.recentHead(this.store.shardOf(stream));
    const signedAt = this.options.now().toISOString();
    const payload = manifestStatement({
      manifestId: subject.manifestId,
      version: subject.version,
      kind: subject.kind,
      sha256: subject.sha256,
      origin: this.options.origin,
      signedAt,
      requestedBy: command.actor.id,
      auditSeqAfter: `${head.shard}:${head.seq}`,
    });
    const { kid, keyVersion, signature } = await this.signer.sign(dssePae(MANIFEST_PAYLOAD_TYPE, payload));
    const envelope = buildEnvelope(payload, kid, signature);
    const signatureId = newEventId();

    return appendAndAnswer(
      this.store,
      {
        actor: command.actor,
        correlationId: command.correlationId,
        writes: [
          {
            stream,
            expectedVersion: 'any',
            events: [
              {
                type: 'manifest.signed',
                division: subject.division,
                payload: {
                  manifestId: subject.manifestId,
                  version: subject.version,
                  kind: subject.kind,
                  sha256: subject.sha256,
                  division: subject.division,
                  signatureId,
                  keyVersion,
                  envelope: { ...envelope },
                },
              },
            ],
          },
        ],
      },
      command.idempotency,
      ([committed], position) =>
        answerBytes(200, {
          audit_id: committed?.event.id,
          signature_record: signatureRecord({
            id: signatureId,
            subject,
            signerKid: kid,
            keyVersion,
            signature,
            signedAt,
            envelope,
          }),
          position,
        }),
    );
  }
}

function subjectOf(request: SignRequest): ManifestSubject {
  const subject = 'manifest' in request ? subjectOfManifest(request.manifest) : subjectOfReference(request);
  if (subject.manifestId.length > MAX_MANIFEST_ID) {
    throw new SigningError(
      'manifest_id_too_long',
      `The manifest id has ${subject.manifestId.length} characters; at most ${MAX_MANIFEST_ID} are allowed.`,
    );
  }
  if (RESERVED_KINDS.has(subject.kind)) {
    throw new SigningError(
      'reserved_kind',
      `A signature of the kind "${subject.kind}" is what the kernel itself decides on; choose another kind.`,
    );
  }
  return subject;
}
