import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { manifestDigest } from '#evidence';
import { withStack } from '#dev/testing';
import { type AuditEvent } from '#openapi/kernel';
import { cli, connectionTo } from '../governance/cli';
import { ContractClient } from './contract.client';

describe('finding events', () => {
  const stack = withStack({ workers: ['outbox-relay', 'indexer'], shards: 3 });
  const as = (caller: 'OPERATOR' | 'DIVISION_LEAD' | 'SUPERADMIN') =>
    new ContractClient(stack().client(caller));
  let positions: string[] = [];

  const post = async (path: string, body: object, headers: Record<string, string> = {}) => {
    const answer = await as('OPERATOR').post(path, body, { headers });
    expect([200, 201]).toContain(answer.status);
    positions.push(answer.json.position);
    return answer.json;
  };
  /** Waits until the index has everything that was written. */
  const indexed = async (): Promise<void> => {
    for (const position of positions) {
      const answer = await as('OPERATOR').get('/kernel/audit?limit=1', {
        headers: { 'kernel-min-position': position },
      });
      expect(answer.status).toBe(200);
    }
    positions = [];
  };
  const found = async (query: string, caller: 'OPERATOR' | 'DIVISION_LEAD' = 'OPERATOR') => {
    const { status, json } = await as(caller).get(`/kernel/audit?limit=1000&${query}`);
    expect(status).toBe(200);
    return json.events as AuditEvent[];
  };

  it('finds all signatures of a manifest, whatever name they were asked for under, and nothing else', async () => {
    const manifest = { id: randomUUID(), version: '1.0.0', image: 'app' };
    const sha256 = manifestDigest(manifest);
    const signed: string[] = [];
    for (const name of [null, 'other', 'third/x']) {
      const body = name === null ? { manifest } : { manifestId: name, version: '1.0.0', sha256 };
      signed.push((await post('/kernel/sign', body)).audit_id);
    }
    await post('/kernel/sign', { manifest: { ...manifest, version: '1.0.1' } });
    // What callers say of the digest is no signature.
    await post('/kernel/audit', { type: 'report.made', stream: 'report/1', payload: { sha256 } });
    await indexed();
    const events = await found(`sha256=${sha256}`);
    expect(events.map(({ id }) => id).sort()).toEqual(signed.sort());

    const file = join(stack().dir, 'manifest.json');
    await writeFile(file, JSON.stringify(manifest, null, 2));
    const connection = connectionTo(stack(), stack().identities.callers.OPERATOR);
    const printed = await cli(['audit', 'find', '--manifest', file, ...connection]);
    for (const id of signed) expect(printed).toContain(`${id}  manifest.signed  manifest/`);
    expect(printed.trim().split('\n')).toHaveLength(3);
    const json = await cli(['audit', 'find', '--sha256', sha256, '--limit', '2', '--json', ...connection]);
    expect(
      json
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as AuditEvent).id),
    ).toEqual(events.slice(0, 2).map(({ id }) => id));
    const newest = await cli(['audit', 'find', '--sha256', sha256, '--newest', '--json', ...connection]);
    expect(
      newest
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as AuditEvent).id),
    ).toEqual(events.map(({ id }) => id).toReversed());
    expect(await cli(['audit', 'find', '--sha256', sha256, '--limit', '2', ...connection])).toContain(
      'there are more',
    );
    expect(await cli(['audit', 'find', '--sha256', '0'.repeat(64), ...connection])).toContain(
      'no event matches',
    );
  });

  it('finds the events of a request, of a key and of streams that begin alike', async () => {
    const request = randomUUID();
    const noun = `n${randomUUID().slice(0, 8)}`;
    const made = [];
    for (const id of ['2026-1', '2026-2', '2027-1']) {
      const { events } = await post(
        '/kernel/audit',
        { type: `${noun}.made`, stream: `${noun}/${id}`, payload: { 'a\u001b[31m': id } },
        id === '2027-1' ? { 'x-request-id': request } : {},
      );
      made.push(events[0]);
    }
    await indexed();
    const ids = (events: AuditEvent[]) => events.map(({ id }) => id).sort();
    const madeIds = made.map(({ id }) => id as string);
    expect(ids(await found(`correlationId=${request}`))).toEqual([madeIds[2]]);
    expect(ids(await found(`subject=${noun}/`))).toEqual([...madeIds].sort());
    expect(ids(await found(`subject=${noun}/2026-`))).toEqual(madeIds.slice(0, 2).sort());
    expect(await found(`subject=${noun}/2028`)).toEqual([]);
    const { signerKid } = (await found(`subject=${noun}/`))[0] as AuditEvent;
    expect(ids(await found(`signerKid=${signerKid}&type=${noun}.made`))).toEqual([...madeIds].sort());
    expect(await found('signerKid=another')).toEqual([]);
  });

  it('shows a DivisionLead their own division only', async () => {
    const noun = `n${randomUUID().slice(0, 8)}`;
    for (const division of ['product', 'finance']) {
      await post('/kernel/audit', {
        type: `${noun}.made`,
        stream: `${noun}/${division}`,
        payload: { division },
      });
    }
    await indexed();
    const divisions = (events: AuditEvent[]) => events.map(({ payload }) => payload['division']);
    expect(divisions(await found(`subject=${noun}/&division=finance`))).toEqual(['finance']);
    expect(divisions(await found(`subject=${noun}/`, 'DIVISION_LEAD'))).toEqual(['product']);
    expect(divisions(await found(`subject=${noun}/&division=product`, 'DIVISION_LEAD'))).toEqual(['product']);
    const refused = await as('DIVISION_LEAD').get('/kernel/audit?division=finance');
    expect([refused.status, refused.json.error]).toEqual([403, 'forbidden']);
  });

  it.each([
    'sha256=ABC',
    'correlationId=1',
    'subject=noslash',
    'subject=a/%00',
    'signerKid=a%20b',
    'division=%20',
  ])('refuses %s', async (query) => {
    const { status, json } = await as('OPERATOR').get(`/kernel/audit?${query}`);
    expect([status, json.error, json.parameter]).toEqual([400, 'invalid_request', query.split('=')[0]]);
  });
});
