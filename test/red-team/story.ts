import { type JsonObject } from '#evidence';
import { type HttpAnswer, type MtlsClient } from '#dev/testing';

/** What there is to be stolen, by its ids. */
export interface Story {
  /** An agent of the division finance. */
  agent: string;
  /** The event that recorded the signature of its template. */
  template: string;
  /** The envelope in that event. */
  envelope: JsonObject;
  /** Another event of the division. */
  event: string;
  /** A proposed upgrade of an Operator's. */
  upgrade: string;
  /** A pool without approver-5, which a SuperAdmin put in place in an emergency. */
  emergency: string;
}

/**
 * Two divisions, of which `product` is that of the DivisionLead, and what they have.
 * @param propose proposes an upgrade as an Operator, and returns its id
 */
export async function tellStory(
  operator: MtlsClient,
  superAdmin: MtlsClient,
  propose: (more?: JsonObject) => Promise<string>,
): Promise<Story> {
  const made = async (path: string, body: JsonObject): Promise<HttpAnswer> => {
    const answer = await operator.post(path, body);
    if (answer.status >= 300) throw new Error(`${path}: ${answer.text}`);
    return answer;
  };
  for (const id of ['product', 'finance']) await made('/kernel/division', { id, budget: 100 });
  const manifest = { id: 'template', version: '1', kind: 'agent-template', division: 'finance' };
  const signed = (await made('/kernel/sign', { manifest })).json as {
    audit_id: string;
    signature_record: { envelope: JsonObject };
  };
  const template = { auditId: signed.audit_id };
  const agent = await made('/kernel/agent', { divisionId: 'finance', template });
  const event = await made('/kernel/audit', { type: 'thing.changed', payload: { division: 'finance' } });
  const { approvers } = (await operator.get('/kernel/approvers')).json as { approvers: JsonObject[] };
  const four = approvers.slice(0, 4).map(({ revokedKeys: _, ...approver }) => approver);
  const emergency = await propose({ type: 'approver_pool', pool: { threshold: 3, approvers: four } });
  const path = `/kernel/upgrade/${emergency}/emergency-apply`;
  const applied = await superAdmin.post(path, { reason: 'x' });
  if (applied.status !== 200) throw new Error(`${path}: ${applied.text}`);
  return {
    agent: (agent.json as { id: string }).id,
    template: signed.audit_id,
    envelope: signed.signature_record.envelope,
    event: (event.json as { events: { id: string }[] }).events[0]?.id ?? '',
    upgrade: await propose(),
    emergency,
  };
}
