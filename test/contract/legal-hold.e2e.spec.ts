import { withStack } from '#dev/testing';
import { ContractClient } from './contract.client';

describe('legal holds', () => {
  const stack = withStack();
  const admin = () => new ContractClient(stack().client('SUPERADMIN'));
  const route = '/kernel/audit/legal-hold';
  let event: { id: string; shard: number; seq: number };

  beforeAll(async () => {
    const answer = await stack()
      .client('OPERATOR')
      .post('/kernel/audit', { type: 'door.opened', payload: {} });
    event = answer.json.events[0];
  });

  it('are placed on an event and lifted again, each once and in the chain', async () => {
    const body = { eventId: event.id, hold: true, reason: 'case 17' };
    const placed = await admin().post(route, body);
    expect(placed.status).toBe(201);
    const range = { shard: event.shard, fromSeq: event.seq, toSeq: event.seq };
    expect(placed.json.legalHold).toMatchObject({ ...range, inForce: true, reason: 'case 17' });
    const recorded = await admin().get(`/kernel/audit/${placed.json.legalHold.eventId}`);
    expect(recorded.json).toMatchObject({
      type: 'legal_hold.placed',
      stream: `legal_hold/${event.shard}:${event.seq}-${event.seq}`,
      actor: { roles: ['SuperAdmin'] },
      payload: { ...range, reason: 'case 17' },
    });
    expect(await admin().post(route, body)).toMatchObject({
      status: 409,
      json: { error: 'legal_hold_in_force' },
    });
    const lifted = await admin().post(route, { ...body, hold: false, reason: 'closed' });
    expect(lifted).toMatchObject({ status: 201, json: { legalHold: { inForce: false } } });
    expect(await admin().post(route, { ...body, hold: false })).toMatchObject({
      status: 409,
      json: { error: 'legal_hold_not_in_force' },
    });
  });

  it('give the same answer to the same request', async () => {
    const body = { shard: 0, fromSeq: 1, toSeq: 2, hold: true, reason: 'case 18' };
    const headers = { 'idempotency-key': 'hold-1' };
    const first = await admin().post(route, body, { headers });
    expect(first.status).toBe(201);
    expect((await admin().post(route, body, { headers })).text).toBe(first.text);
  });

  it.each([
    [
      'an event that is not there',
      { eventId: '01a21234-0000-7000-8000-000000000000' },
      404,
      'event_not_found',
    ],
    ['a shard that is not there', { shard: 7, fromSeq: 1, toSeq: 1 }, 404, 'unknown_shard'],
    ['positions that are not there', { shard: 0, fromSeq: 1, toSeq: 1_000_000 }, 400, 'invalid_range'],
    ['a range that runs backwards', { shard: 0, fromSeq: 2, toSeq: 1 }, 400, 'invalid_range'],
  ])('refuse %s', async (_what, target, status, error) => {
    const answer = await admin().post(route, { ...target, hold: true, reason: 'x' });
    expect(answer).toMatchObject({ status, json: { error } });
  });

  it.each([
    ['no reason', { shard: 0, fromSeq: 1, toSeq: 1, hold: true }],
    ['both a range and an event', { eventId: 'x', shard: 0, fromSeq: 1, toSeq: 1, hold: true, reason: 'x' }],
  ])('refuse a request with %s', async (_what, body) => {
    expect(await admin().post(route, body)).toMatchObject({
      status: 400,
      json: { error: 'invalid_request' },
    });
  });

  it('cannot be written into the chain by callers', async () => {
    const answer = await stack()
      .client('OPERATOR')
      .post('/kernel/audit', {
        type: 'legal_hold.lifted',
        stream: 'legal_hold/0:1-2',
        payload: { shard: 0, fromSeq: 1, toSeq: 2, reason: 'x' },
      });
    expect(answer).toMatchObject({ status: 400, json: { error: 'reserved_name' } });
  });
});
