import { createHash } from 'node:crypto';
import { type RegistrationResponseJSON, verifyRegistrationResponse } from '@simplewebauthn/server';
import { type ApproverKey, EvidenceError, keyMaterial } from '#evidence';
import { GovernanceError } from '../domain/governance.error';

/** COSE identifiers of the signatures that the verifier of evidence knows: EdDSA and ES256. */
export const ALGORITHMS = [-8, -7];
/** Without attestation, or self-attested: the kind of authenticator does not matter. */
const FORMATS: ReadonlySet<string> = new Set(['none', 'packed']);

/** Data that a registration was checked against, and all raw data for checking it again. */
export interface VerifiedRegistration {
  key: Extract<ApproverKey, { algorithm: 'webauthn' }>;
  /** Identity of the key, independent of its name. */
  material: string;
  evidence: {
    challenge: string;
    /** Base64, as the browser made it. */
    clientDataJSON: string;
    attestationObject: string;
    format: string;
    aaguid: string;
    /** Whether it may be copied to other devices, and was. */
    multiDevice: boolean;
    backedUp: boolean;
  };
}

/**
 * Checks a registration (WebAuthn Level 2, section 7.1): the challenge, the origin, the relying party, that the person
 * was present and verified, and that evidence can be checked with the key.
 * @throws GovernanceError `invalid_registration` with the reason
 */
export async function verifyRegistration(
  response: RegistrationResponseJSON,
  expected: {
    challenge: string;
    rpId: string;
    origins: readonly string[];
    keyId: string | null;
    approverId: string;
  },
): Promise<VerifiedRegistration> {
  const refuse = (why: string, cause?: unknown) =>
    new GovernanceError(
      'invalid_registration',
      `The registration does not hold: ${why}.`,
      { reasons: [why] },
      { cause },
    );
  let verified: Awaited<ReturnType<typeof verifyRegistrationResponse>>;
  try {
    verified = await verifyRegistrationResponse({
      response,
      expectedChallenge: expected.challenge,
      expectedOrigin: [...expected.origins],
      expectedRPID: expected.rpId,
      requireUserPresence: true,
      requireUserVerification: true,
      supportedAlgorithmIDs: ALGORITHMS,
    });
  } catch (error) {
    throw refuse(error instanceof Error ? error.message.replace(/\.$/, '') : String(error), error);
  }
  if (!verified.verified) throw refuse('its attestation statement does not verify');
  const { credential, fmt, aaguid, credentialDeviceType, credentialBackedUp } = verified.registrationInfo;
  if (!FORMATS.has(fmt)) throw refuse(`its attestation is of the format ${fmt}, and none was asked for`);
  if (credential.id !== response.id) throw refuse('its id is not that of the credential in it');
  const clientData = Buffer.from(response.response.clientDataJSON, 'base64url');
  if ((JSON.parse(clientData.toString('utf8')) as { crossOrigin?: unknown }).crossOrigin === true) {
    throw refuse('it was made inside a frame of another origin');
  }
  const credentialId = Buffer.from(credential.id, 'base64url');
  const digest = createHash('sha256').update(credentialId).digest('hex').slice(0, 12);
  const key: VerifiedRegistration['key'] = {
    keyId: expected.keyId ?? `${expected.approverId.slice(0, 100)}-webauthn-${digest}`,
    algorithm: 'webauthn',
    credentialId: credentialId.toString('base64'),
    publicKey: Buffer.from(credential.publicKey).toString('base64'),
    rpId: expected.rpId,
    origins: [...expected.origins],
  };
  let material: string;
  try {
    material = keyMaterial(key);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw refuse(error.message.replace(/\.$/, ''), error);
  }
  return {
    key,
    material,
    evidence: {
      challenge: expected.challenge,
      clientDataJSON: clientData.toString('base64'),
      attestationObject: Buffer.from(response.response.attestationObject, 'base64url').toString('base64'),
      format: fmt,
      aaguid,
      multiDevice: credentialDeviceType === 'multiDevice',
      backedUp: credentialBackedUp,
    },
  };
}
