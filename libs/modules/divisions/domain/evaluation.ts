import { type AuditEvent, type JsonObject, type JsonValue } from '#evidence';
import { type Eval } from '#openapi/kernel';
import { type AgentState } from './agent';

/** Performance of an agent, as reported by its source. */
export interface EvalReport {
  /** Names of metrics with numbers, texts or truth values. */
  metricSet: JsonObject;
  /** One overall figure, if the source computes one. */
  score: number | null;
  source: string | null;
  /** The measured period. */
  window: string | null;
  /** Time of the measurement: the source's, not the kernel's. */
  timestamp: string | null;
  notes: string | null;
}

interface EvalPayload extends EvalReport {
  agentId: string;
  division: string;
}

/** One agent's evaluations, apart from its life: measuring an agent must not hinder stopping it. */
export function evalStream(agentId: string): string {
  return `eval/${agentId}`;
}

/** Agents are evaluated in every state; their results are often known only after they are gone. */
export function decideEval(
  agent: AgentState,
  report: EvalReport,
): { type: 'eval.submitted'; payload: EvalPayload } {
  return { type: 'eval.submitted', payload: { agentId: agent.id, division: agent.division, ...report } };
}

export function evalView({ id, ts, actor, shard, seq, payload }: AuditEvent): Eval {
  // Only the kernel writes these streams, and it checks what it writes.
  return {
    id,
    ...(payload as { [name: string]: JsonValue } & EvalPayload),
    submittedAt: ts,
    submittedBy: actor.id,
    position: `${shard}:${seq}`,
  };
}
