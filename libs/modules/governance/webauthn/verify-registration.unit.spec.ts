import { randomBytes } from 'node:crypto';
import { generateRegistrationOptions } from '@simplewebauthn/server';
import { readApproverPool, type JsonObject } from '#evidence';
import { type Ceremony, SoftwareAuthenticator } from '#dev/testing';
import { ALGORITHMS, verifyRegistration } from './verify-registration';

const RP = 'kernel.example.com';
const ORIGIN = 'https://approve.kernel.example.com';

describe('the registration of a credential', () => {
  async function register(
    ceremony: Partial<Ceremony> = {},
    change: (response: ReturnType<SoftwareAuthenticator['create']>) => void = () => undefined,
    algorithm: 'ES256' | 'EdDSA' = 'ES256',
  ) {
    const challenge = randomBytes(32);
    const options = await generateRegistrationOptions({
      rpName: 'x',
      rpID: RP,
      userName: 'ada',
      challenge,
      supportedAlgorithmIDs: ALGORITHMS,
    });
    const response = new SoftwareAuthenticator(algorithm).create(options, { origin: ORIGIN, ...ceremony });
    change(response);
    return verifyRegistration(response, {
      challenge: challenge.toString('base64url'),
      rpId: RP,
      origins: [ORIGIN],
      keyId: null,
      approverId: 'ada',
    });
  }

  it.each(['ES256', 'EdDSA'] as const)('yields a key that a pool takes: %s', async (algorithm) => {
    const { key, material, evidence } = await register({}, undefined, algorithm);
    expect(key).toMatchObject({ algorithm: 'webauthn', rpId: RP, origins: [ORIGIN] });
    expect(key.keyId).toMatch(/^ada-webauthn-[0-9a-f]{12}$/);
    expect(material.length).toBeGreaterThan(40);
    expect(evidence).toMatchObject({ format: 'none', multiDevice: false, backedUp: false });
    const approver = { id: 'ada', name: 'Ada', contact: null, principals: ['ada'], keys: [key] };
    const pool = { threshold: 1, approvers: [approver] } as unknown as JsonObject;
    expect(readApproverPool(pool).approvers[0]?.keys).toEqual([key]);
  });

  it.each<[string, Partial<Ceremony>, string]>([
    ['another challenge', { challenge: 'AAAA' }, 'challenge'],
    ['another origin', { origin: 'https://evil.example.com', lawless: true }, 'origin'],
    ['another ceremony', { type: 'webauthn.get' }, 'type'],
    ['nobody there', { present: false }, 'not present'],
    ['nobody verified', { verified: false, lawless: true }, 'could not be verified'],
    ['a frame of another origin', { crossOrigin: true }, 'frame of another origin'],
  ])('is refused with %s', async (_, ceremony, why) => {
    await expect(register(ceremony)).rejects.toMatchObject({
      code: 'invalid_registration',
      message: expect.stringContaining(why),
    });
  });

  it('is refused with the id of another credential', async () => {
    const other = randomBytes(32).toString('base64url');
    await expect(
      register({}, (response) => Object.assign(response, { id: other, rawId: other })),
    ).rejects.toMatchObject({
      message: expect.stringContaining('not that of the credential'),
    });
  });

  it('is refused with another relying party, or bytes that are none', async () => {
    const options = { challenge: 'AAAA', rp: { id: 'evil.example.com' }, pubKeyCredParams: [{ alg: -7 }] };
    const foreign = new SoftwareAuthenticator('ES256').create(options, { origin: ORIGIN, lawless: true });
    const mix = (response: { response: { attestationObject: string } }) =>
      (response.response.attestationObject = foreign.response.attestationObject);
    await expect(register({}, mix)).rejects.toMatchObject({ code: 'invalid_registration' });
    await expect(
      register({}, (response) => (response.response.attestationObject = 'AAAA')),
    ).rejects.toMatchObject({ code: 'invalid_registration' });
  });
});
