import { type AuditEvent, type JsonObject, type JsonValue } from '#evidence';
import { type Eval } from '#openapi/kernel';
import { type AgentState } from './agent';

/** How an agent did, as whoever measured it says. */
export interface EvalReport {
  /** Names of metrics with numbers, texts or truth values. */
  metricSet: JsonObject;
  /** One figure for all of it, where the source computes one. */
  score: number | null;
  source: string | null;
  /** The period that was measured. */
  window: string | null;
  /** When it was measured: the source's time, not the kernel's. */
  timestamp: string | null;
  notes: string | null;
}

interface EvalPayload extends EvalReport {
  agentId: string;
  division: string;
}

/** One agent's evaluations, apart from its life: measuring it must not get in the way of stopping it. */
export function evalStream(agentId: string): string {
  return `eval/${agentId}`;
}

/** Agents are evaluated in every state; what becomes of them is often learned when they are gone. */
export function decideEval(
  agent: AgentState,
  report: EvalReport,
): { type: 'eval.submitted'; payload: EvalPayload } {
  return { type: 'eval.submitted', payload: { agentId: agent.id, division: agent.division, ...report } };
}

export function evalView({ id, ts, actor, shard, seq, payload }: AuditEvent): Eval {
  // The kernel alone writes these streams, and checks what it writes.
  return {
    id,
    ...(payload as { [name: string]: JsonValue } & EvalPayload),
    submittedAt: ts,
    submittedBy: actor.id,
    position: `${shard}:${seq}`,
  };
}
