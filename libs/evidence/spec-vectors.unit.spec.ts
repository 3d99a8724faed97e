import { createPrivateKey, sign, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import nacl from 'tweetnacl';
import { browserBuild } from './browser-build.fixture';
import * as door from './index';
import {
  type SignerPossession,
  type ApprovalRecord,
  type ApprovalSignature,
  type ApproverKey,
  type ArchiveDay,
  type AuditEvent,
  type AuditReportSeal,
  type Envelope,
  type JsonValue,
  type ManifestStatement,
  type PoolEvent,
  type PoolState,
  type SignerEntry,
  type TrustedSigner,
  type UnhashedEvent,
} from './index';

const FOLDER = join(__dirname, '../../docs/spec/vectors');

function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as T;
}

function privateKey(seed: string): KeyObject {
  const der = Buffer.concat([
    Buffer.from('302e020100300506032b657004220420', 'hex'),
    Buffer.from(seed, 'hex'),
  ]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

const fromHex = (hex: string): Buffer => Buffer.from(hex, 'hex');

describe.each([
  ['Node.js', door],
  ['a browser', browserBuild()],
])('in %s', (_, evidence) => {
  const {
    approvalRecordBytes,
    approvalSigningInput,
    ARCHIVE_DAY,
    AUDIT_REPORT,
    archiveDayKey,
    auditReportKeys,
    auditGroupInput,
    base64Decode,
    buildEnvelope,
    canonicalEventBytes,
    canonicalize,
    checkRawPublicKey,
    countQuorum,
    documentEnvelope,
    documentPayload,
    documentSigningInput,
    dssePae,
    EvidenceError,
    evolvePool,
    genesisHash,
    groupTree,
    hashEvent,
    inputOfEvent,
    importPublicKey,
    MANIFEST_PAYLOAD_TYPE,
    manifestDigest,
    manifestStatement,
    parseApprovalRecord,
    parseApprovalSigningInput,
    parseAuditSigningInput,
    parseDocumentSigningInput,
    parseEvent,
    parseManifestSigningInput,
    parseSigners,
    parseSignersFile,
    parseSignerPossessionInput,
    signerPossessionInput,
    parseStrictJson,
    readApproverPool,
    sealEvent,
    sha256Hex,
    trustRootOf,
    verifyApproval,
    verifyDocument,
    verifyEd25519,
    verifyUpgradeEvidence,
    verifyManifestEnvelope,
  } = evidence;

  function refusal(action: () => unknown): { code: string; pointer: string | null } | null {
    try {
      action();
      return null;
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      return { code: error.code, pointer: error.pointer ?? null };
    }
  }

  describe('golden vectors: JSON', () => {
    const accepted =
      vectors<{ name: string; input: string; canonical: string; sha256: string }[]>('json-accepted.json');
    it.each(accepted)('accepts $name', ({ input, canonical, sha256 }) => {
      const text = canonicalize(parseStrictJson(fromHex(input)));
      expect(Buffer.from(text).toString('hex')).toBe(canonical);
      expect(sha256Hex(text)).toBe(sha256);
    });

    const refused =
      vectors<{ name: string; input: string; code: string; pointer: string }[]>('json-refused.json');
    it.each(refused)('refuses $name', ({ input, code, pointer }) => {
      expect(refusal(() => parseStrictJson(fromHex(input)))).toEqual({ code, pointer });
    });

    const numbers = vectors<{ bits: string; text: string; accepted: boolean }[]>('json-numbers.json');
    it.each(numbers)('writes the double $bits as $text', ({ bits, text, accepted: isAccepted }) => {
      const value = fromHex(bits).readDoubleBE();
      expect(String(value)).toBe(text);
      expect(refusal(() => canonicalize(value)) === null).toBe(isAccepted);
      if (isAccepted) expect(canonicalize(value)).toBe(text);
    });
  });

  describe('golden vectors: audit events', () => {
    interface EventVector {
      origin: string;
      event: UnhashedEvent;
      canonicalWithoutGroupHashAndSignature: string;
      hash: string;
      group: AuditEvent['group'];
      signingInput: string;
      signerKid: string;
      signature: string;
      canonical: string;
    }
    const { genesis, keys, events } = vectors<{
      genesis: { origin: string; shard: number; prevHash: string }[];
      keys: { kid: string; seed: string; publicKey: string }[];
      events: EventVector[];
    }>('audit-events.json');

    it.each(genesis)('starts shard $shard of $origin', ({ origin, shard, prevHash }) => {
      expect(genesisHash(origin, shard)).toBe(prevHash);
    });

    it.each(events)('seals $event.type at $event.seq', (vector) => {
      const { origin, event, hash, group, signature, canonical } = vector;
      expect(canonicalize(event as never)).toBe(vector.canonicalWithoutGroupHashAndSignature);
      expect(hashEvent(event)).toBe(hash);
      const sealed = sealEvent(event, origin);
      expect(sealed.hash).toBe(hash);
      const finished = sealed.finish(signature, group);
      const input = inputOfEvent(origin, finished.event);
      expect(Buffer.from(input).toString()).toBe(vector.signingInput);
      const key = keys.find(({ kid }) => kid === vector.signerKid);
      expect(sign(null, input, privateKey(key?.seed ?? '')).toString('base64')).toBe(signature);
      expect(Buffer.from(finished.bytes).toString()).toBe(canonical);
      expect(Buffer.from(canonicalEventBytes(finished.event)).toString()).toBe(canonical);
      expect(parseEvent(Buffer.from(canonical))).toEqual({ ...event, group, hash, signature });
    });

    it.each(events)('reads the signing input of $event.seq', ({ origin, event, group, signingInput }) => {
      const parts = parseAuditSigningInput(Buffer.from(signingInput));
      const { first, count } = group;
      expect(parts).toEqual({ origin, shard: event.shard, first, count, root: expect.any(String) });
      expect(Buffer.from(auditGroupInput(parts)).toString()).toBe(signingInput);
    });

    it('makes the path of each event of a group', () => {
      const groups = Map.groupBy(events, ({ signingInput }) => signingInput);
      for (const [input, members] of groups) {
        const { root, paths } = groupTree(members.map(({ hash }) => hash));
        expect(parseAuditSigningInput(Buffer.from(input)).root).toBe(root);
        expect(members.map(({ group }) => group.path)).toEqual(paths);
      }
      expect([...groups.values()].map(({ length }) => length)).toEqual(expect.arrayContaining([1, 2, 3, 9]));
    });

    interface RefusedEvent {
      name: string;
      input?: string;
      inputParts?: { prefix: string; repeat: string; times: number; suffix: string };
      code: string;
      pointer: string;
    }
    it.each(vectors<RefusedEvent[]>('audit-events-refused.json'))('refuses $name', (vector) => {
      const { prefix = '', repeat = '', times = 0, suffix = '' } = vector.inputParts ?? {};
      const input = vector.input ?? prefix + repeat.repeat(times) + suffix;
      const { code, pointer } = vector;
      expect(refusal(() => parseEvent(Buffer.from(input)))).toEqual({ code, pointer });
      expect(refusal(() => parseEvent(input))).toEqual({ code, pointer });
    });

    const inputs = vectors<{ name: string; input: string; code: string }[]>('signing-inputs-refused.json');
    it.each(inputs)('refuses to sign: $name', ({ input, code }) => {
      expect(refusal(() => parseAuditSigningInput(fromHex(input)))?.code).toBe(code);
    });
  });

  describe('golden vectors: manifest signatures', () => {
    const vector = vectors<{
      key: { kid: string; seed: string };
      manifests: { name: string; manifest: string; sha256: string }[];
      statement: ManifestStatement;
      payload: string;
      pae: string;
      envelope: Envelope;
    }>('manifest-signatures.json');

    it.each(vector.manifests)('digests the manifest $name', ({ manifest, sha256 }) => {
      expect(manifestDigest(parseStrictJson(manifest))).toBe(sha256);
      expect(sha256).toBe(vector.statement.sha256);
    });

    it('makes the statement, its encoding and the envelope', () => {
      const payload = manifestStatement(vector.statement);
      expect(Buffer.from(payload).toString()).toBe(vector.payload);
      const pae = dssePae(MANIFEST_PAYLOAD_TYPE, payload);
      expect(Buffer.from(pae).toString()).toBe(vector.pae);
      expect(parseManifestSigningInput(pae)).toEqual(vector.statement);
      const signature = sign(null, pae, privateKey(vector.key.seed)).toString('base64');
      expect(buildEnvelope(payload, vector.key.kid, signature)).toEqual(vector.envelope);
    });

    const { signers, manifest, origin, envelopes } = vectors<{
      signers: TrustedSigner[];
      manifest: string;
      origin: string;
      envelopes: {
        name: string;
        manifest?: string;
        origin?: string;
        signers?: TrustedSigner[];
        recordedAt?: { shard: number; seq: number };
        envelope: unknown;
        valid: boolean;
        reasons: string[];
      }[];
    }>('manifest-envelopes.json');
    it.each(envelopes)('judges an envelope: $name', (given) => {
      const verdict = verifyManifestEnvelope({
        manifest: parseStrictJson(given.manifest ?? manifest),
        origin: given.origin ?? origin,
        envelope: given.envelope,
        keys: given.signers ?? signers,
        ...(given.recordedAt === undefined ? {} : { recordedAt: given.recordedAt }),
      });
      expect(verdict.valid).toBe(given.valid);
      expect(verdict.reasons.map((reason) => reason.split(':')[0])).toEqual(given.reasons);
    });
  });

  describe('golden vectors: what the kernel says about its chain', () => {
    type Kind =
      { kind: 'archive-day'; document: ArchiveDay } | { kind: 'audit-report'; document: AuditReportSeal };
    type Made = Kind & { payload: string; pae: string; envelope: string; key: string };
    const vector = vectors<{
      key: { kid: string; seed: string };
      documents: Made[];
      origin: string;
      signers: SignerEntry[];
      envelopes: {
        name: string;
        signers?: SignerEntry[];
        envelope: string;
        valid: boolean;
        reasons: string[];
      }[];
    }>('kernel-documents.json');
    const { kid, seed } = vector.key;

    it.each(vector.documents)('makes the $kind $key', (made) => {
      const [payload, key] =
        made.kind === 'archive-day'
          ? [documentPayload(ARCHIVE_DAY, made.document), archiveDayKey(made.document)]
          : [documentPayload(AUDIT_REPORT, made.document), auditReportKeys(made.document).seal];
      const format = made.kind === 'archive-day' ? ARCHIVE_DAY : AUDIT_REPORT;
      expect(Buffer.from(payload).toString()).toBe(made.payload);
      expect(key).toBe(made.key);
      const input = documentSigningInput<never>(format as never, payload);
      expect(Buffer.from(input).toString()).toBe(made.pae);
      expect(parseDocumentSigningInput<never>(format as never, input)).toEqual(made.document);
      const signature = sign(null, input, privateKey(seed)).toString('base64');
      const envelope = documentEnvelope<never>(format as never, payload, kid, signature);
      expect(Buffer.from(envelope).toString()).toBe(made.envelope);
      expect(
        verifyDocument<never>(format as never, { envelope, keys: vector.signers, origin: vector.origin }),
      ).toEqual({ document: made.document, reasons: [] });
    });

    it.each(vector.envelopes)('judges an envelope: $name', ({ envelope, signers, valid, reasons }) => {
      const verdict = verifyDocument(ARCHIVE_DAY, {
        envelope: Buffer.from(envelope),
        keys: signers ?? vector.signers,
        origin: vector.origin,
      });
      expect(verdict.reasons.map((reason) => reason.split(':')[0])).toEqual(reasons);
      expect(verdict.reasons.length === 0).toBe(valid);
    });
  });

  describe('golden vectors: approvals', () => {
    const { keys, records, refused, signatures } = vectors<{
      keys: { keyId: string; seed: string }[];
      records: {
        record: ApprovalRecord;
        bytes: string;
        input: string;
        challenge: string;
        signature: string;
      }[];
      refused: { name: string; input: string; code: string; pointer: string }[];
      signatures: {
        name: string;
        record: ApprovalRecord;
        key: ApproverKey;
        signature: ApprovalSignature;
        valid: boolean;
        reasons: string[];
      }[];
    }>('approvals.json');

    it.each(records)(
      'makes the record to $record.action',
      ({ record, bytes, input, challenge, signature }) => {
        expect(Buffer.from(approvalRecordBytes(record)).toString()).toBe(bytes);
        expect(parseApprovalRecord(bytes)).toEqual(record);
        expect(Buffer.from(approvalSigningInput(record)).toString('hex')).toBe(input);
        expect(parseApprovalSigningInput(fromHex(input))).toEqual(record);
        expect(sha256Hex(fromHex(input))).toBe(challenge);
        const key = keys.find(({ keyId }) => keyId === record.keyId);
        expect(sign(null, fromHex(input), privateKey(key?.seed ?? '')).toString('base64')).toBe(signature);
      },
    );

    it.each(refused)('refuses a record: $name', ({ input, code, pointer }) => {
      expect(refusal(() => parseApprovalRecord(input))).toEqual({ code, pointer });
    });

    it('refuses to sign what does not begin with its domain', () => {
      expect(refusal(() => parseApprovalSigningInput(Buffer.from(records[0]?.bytes ?? '')))?.code).toBe(
        'invalid_signing_input',
      );
    });

    it.each(signatures)('judges a signature: $name', ({ record, key, signature, valid, reasons }) => {
      const found = verifyApproval(record, signature, key);
      expect(found.map((reason) => reason.split(':')[0])).toEqual(reasons);
      expect(found.length === 0).toBe(valid);
    });

    const pools =
      vectors<{ name: string; pool: JsonValue; accepted: boolean; code?: string; pointer?: string }[]>(
        'approver-pools.json',
      );
    it.each(pools)('reads a pool: $name', ({ pool, accepted, code, pointer }) => {
      expect(refusal(() => readApproverPool(pool))).toEqual(accepted ? null : { code, pointer });
    });

    const quorums = vectors<
      {
        name: string;
        events: PoolEvent[];
        records: ApprovalRecord[];
        now: string;
        action: ApprovalRecord['action'];
        threshold: number;
        involved: string[];
        aboutPool: boolean;
        required: number;
        approvers: string[];
        notCounted: [string, string][];
      }[]
    >('quorums.json');
    it.each(quorums)(
      'counts: $name',
      ({ events, now, involved, required, approvers, notCounted, ...given }) => {
        const pool = events.reduce<PoolState | null>(evolvePool, null);
        if (pool === null) throw new Error('no pool');
        const callers = { principals: new Set(involved) };
        const quorum = countQuorum({ ...given, pool, involved: callers, now: Date.parse(now) });
        expect(quorum.required).toBe(required);
        expect(quorum.approvers).toEqual(approvers);
        expect(quorum.notCounted.map(({ approverId, reason }) => [approverId, reason])).toEqual(notCounted);
        expect(quorum.reached).toBe(approvers.length >= required);
      },
    );
  });

  describe('golden vectors: the evidence of upgrades', () => {
    const { origin, signers, cases } = vectors<{
      origin: string;
      signers: string;
      cases: {
        name: string;
        file: string;
        signers?: string;
        withoutProofs?: boolean;
        verified: boolean;
        faults: string[];
        status?: string;
        approvers?: string[];
        log?: object | null;
      }[];
    }>('upgrade-evidence.json');

    it.each(cases)('$name', ({ file, verified, faults, status, approvers, log, ...given }) => {
      const root = readFileSync(join(FOLDER, given.signers ?? signers));
      const trust = trustRootOf(parseSignersFile(root), origin);
      const { withoutProofs = false } = given;
      const verdict = verifyUpgradeEvidence(readFileSync(join(FOLDER, file)), trust, { withoutProofs });
      expect([...new Set(verdict.faults.map((fault) => fault.split(':')[0]))].sort()).toEqual(faults);
      expect(verdict.faults.length === 0).toBe(verified);
      if (verified) expect(verdict).toMatchObject({ status, approvers, log });
    });
  });

  describe('golden vectors: keys and signatures', () => {
    const keys =
      vectors<{ name: string; publicKey: string; accepted: boolean; code?: string }[]>('public-keys.json');
    it.each(keys)('judges the public key: $name', ({ publicKey, accepted, code }) => {
      expect(refusal(() => checkRawPublicKey(fromHex(publicKey)))?.code ?? null).toBe(accepted ? null : code);
      expect(refusal(() => importPublicKey(fromHex(publicKey))) === null).toBe(accepted);
    });

    const { publicKey, message, signatures } = vectors<{
      publicKey: string;
      message: string;
      signatures: { name: string; signature: string; valid: boolean }[];
    }>('ed25519-signatures.json');
    it.each(signatures)('judges the signature: $name', ({ name, signature, valid }) => {
      const raw = base64Decode(signature) ?? new Uint8Array();
      expect(verifyEd25519(importPublicKey(fromHex(publicKey)), fromHex(message), raw)).toBe(valid);
      // The second opinion agrees, but for what tweetnacl is known to accept: S + L, and an R of small order.
      const second = nacl.sign.detached.verify(
        Uint8Array.from(fromHex(message)),
        raw,
        Uint8Array.from(fromHex(publicKey)),
      );
      expect(second).toBe(valid || name === 'S + L' || name.startsWith('R neutral, S = k a'));
    });

    const proof = vectors<{
      seed: string;
      publicKey: string;
      possession: SignerPossession;
      input: string;
      signature: string;
      refused: { name: string; input: string }[];
    }>('signer-possession.json');
    it('makes, reads and checks the proof that a key is held', () => {
      const input = signerPossessionInput(proof.possession);
      expect(Buffer.from(input).toString()).toBe(proof.input);
      expect(parseSignerPossessionInput(input)).toEqual(proof.possession);
      expect(proof.possession.publicKeySha256).toBe(sha256Hex(fromHex(proof.publicKey)));
      expect(sign(null, input, privateKey(proof.seed)).toString('base64')).toBe(proof.signature);
    });
    it.each(proof.refused)('does not take for such a proof: $name', ({ input }) => {
      expect(refusal(() => parseSignerPossessionInput(Buffer.from(input)))?.code).toBe(
        'invalid_signing_input',
      );
    });

    it('keeps the trust root of the chains readable', () => {
      expect(parseSigners(readFileSync(join(FOLDER, 'chains/signers.json')))).toHaveLength(3);
    });
  });
});
