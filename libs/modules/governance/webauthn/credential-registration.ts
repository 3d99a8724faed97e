import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import {
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  type RegistrationResponseJSON,
} from '@simplewebauthn/server';
import { type Approver, decidingPools, keyMaterial, type PoolState } from '#evidence';
import {
  answerBytes,
  appendAndAnswer,
  type Asking,
  type CommandAnswer,
  EventStore,
  findStoredAnswer,
} from '#platform/event-store';
import { GovernanceError } from '../domain/governance.error';
import { refuseSyncedRegistration } from '../domain/synced-passkeys';
import { GovernanceOptions } from '../governance.ports';
import { GovernanceReader } from '../governance.reader';
import { CHALLENGE_TTL_S, ChallengeStore } from './challenge-store';
import { ALGORITHMS, verifyRegistration } from './verify-registration';
import { WebAuthnOptions } from './webauthn.options';

/** Owner of the credential, and the caller. */
export interface Registrant {
  approverId: string;
  principal: string;
  /** A person registers only for themself; a SuperAdmin also for a future approver. */
  ownOnly: boolean;
}

/**
 * Registers credentials: a challenge, then the authenticator's response, checked and recorded raw. That gives no one a
 * say. The credential gets it with the pool, by an upgrade of type `approver_pool`.
 */
@Injectable()
export class CredentialRegistration {
  constructor(
    private readonly store: EventStore,
    private readonly reader: GovernanceReader,
    private readonly challenges: ChallengeStore,
    private readonly options: WebAuthnOptions,
    private readonly governance: GovernanceOptions,
  ) {}

  /** @throws GovernanceError `webauthn_not_configured`, `not_the_approver` */
  async begin(
    registrant: Registrant,
  ): Promise<{ options: PublicKeyCredentialCreationOptionsJSON; expiresAt: string }> {
    const rpId = this.relyingParty();
    const { approver } = await this.approver(registrant);
    const { approverId, principal } = registrant;
    const { challenge, expiresAt } = await this.challenges.issue(approverId, principal);
    const options = await generateRegistrationOptions({
      rpName: `Approvals at ${rpId}`,
      rpID: rpId,
      userName: approverId,
      userDisplayName: approver?.name ?? approverId,
      // The same for the same approver: an authenticator that makes a second credential replaces its first.
      userID: new Uint8Array(createHash('sha256').update(approverId).digest()),
      challenge: new Uint8Array(Buffer.from(challenge, 'base64url')),
      timeout: CHALLENGE_TTL_S * 1_000,
      attestationType: 'none',
      excludeCredentials: credentialsOf(approver).map((id) => ({ id })),
      authenticatorSelection: {
        // Where a device copies what it can list, it may keep to itself what it cannot.
        residentKey: this.governance.syncedPasskeys === 'refuse' ? 'discouraged' : 'preferred',
        userVerification: 'required',
      },
      supportedAlgorithmIDs: ALGORITHMS,
    });
    return { options, expiresAt };
  }

  /** @throws GovernanceError `invalid_registration`, `synced_passkey`, `credential_registered`, `not_the_approver`, `webauthn_not_configured` */
  async complete(
    registrant: Registrant,
    { response, keyId }: { response: RegistrationResponseJSON; keyId: string | null },
    { actor, correlationId, idempotency }: Asking,
  ): Promise<CommandAnswer> {
    const stored = await findStoredAnswer(this.store, idempotency);
    if (stored) return stored;
    const rpId = this.relyingParty();
    const { approverId, principal } = registrant;
    const { pool } = await this.approver(registrant);
    const challenge = await this.challenges.take(approverId, principal);
    if (challenge === null) {
      const why =
        'no challenge of this caller for this approver is open; each is used once, within five minutes';
      throw new GovernanceError('invalid_registration', `The registration does not hold: ${why}.`, {
        reasons: [why],
      });
    }
    const { origins } = this.options;
    const { key, material, evidence } = await verifyRegistration(response, {
      challenge,
      rpId,
      origins,
      keyId,
      approverId,
    });
    if (this.governance.syncedPasskeys === 'refuse') refuseSyncedRegistration(evidence);
    refuseKnown(key.keyId, material, pool);
    const sha256 = createHash('sha256').update(Buffer.from(key.publicKey, 'base64')).digest('hex');
    return appendAndAnswer(
      this.store,
      {
        actor,
        correlationId,
        writes: [
          {
            stream: `approver/${approverId}`,
            expectedVersion: 'any',
            events: [
              {
                type: 'approver.credential_registered',
                payload: { approverId, key: { ...key, origins: [...key.origins] }, sha256, ...evidence },
              },
            ],
          },
        ],
      },
      idempotency,
      (_, position) => answerBytes(201, { approverId, key, sha256, position }),
    );
  }

  private relyingParty(): string {
    const { rpId } = this.options;
    if (rpId !== null) return rpId;
    throw new GovernanceError(
      'webauthn_not_configured',
      'This kernel registers no WebAuthn credentials; name the relying party in KERNEL_WEBAUTHN_RP_ID and its pages in KERNEL_WEBAUTHN_ORIGINS.',
    );
  }

  private async approver({
    approverId,
    principal,
    ownOnly,
  }: Registrant): Promise<{ approver: Approver | undefined; pool: PoolState }> {
    const { pool } = (await this.reader.governance()).governance;
    const found = decidingPools(pool).flatMap((one) =>
      one.pool.approvers.filter(({ id }) => id === approverId),
    );
    if (ownOnly && !found.some(({ principals }) => principals.includes(principal))) {
      throw new GovernanceError('not_the_approver', `"${principal}" is not the approver ${approverId}.`);
    }
    return { approver: found[0], pool };
  }
}

/** Base64url, as browsers want it. */
function credentialsOf(approver: Approver | undefined): string[] {
  return (approver?.keys ?? []).flatMap((key) =>
    key.algorithm === 'webauthn' ? Buffer.from(key.credentialId, 'base64').toString('base64url') : [],
  );
}

/** Refuses a key that no pool could take: better now than when people read the proposal. */
function refuseKnown(keyId: string, material: string, pool: PoolState): void {
  if (pool.revoked.has(material)) {
    throw new GovernanceError('credential_registered', 'This key was revoked; no pool can take it back.');
  }
  for (const { id, keys } of pool.inForce.pool.approvers) {
    const same = keys.find((key) => key.keyId === keyId || keyMaterial(key) === material);
    if (same === undefined) continue;
    throw new GovernanceError(
      'credential_registered',
      `The pool in force has the key ${same.keyId} of ${id} already; register another one, or give it another keyId.`,
    );
  }
}
