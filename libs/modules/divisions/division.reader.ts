import { Injectable } from '@nestjs/common';
import { EventStore, type Folded, FoldedStreams, type StoredEvent } from '#platform/event-store';
import { type AgentState, agentStream, evolveAgent } from './domain/agent';
import { accountStream, type AccountState, EMPTY_ACCOUNT, evolveAccount } from './domain/account';
import { type DivisionState, divisionStream, evolveDivision } from './domain/division';
import { DivisionError } from './domain/division.error';

/** Divisions, their agents and their spending, folded from the chain. */
@Injectable()
export class DivisionReader {
  private readonly divisions: FoldedStreams<DivisionState | null>;
  private readonly accounts: FoldedStreams<AccountState>;
  private readonly agents: FoldedStreams<AgentState | null>;

  constructor(private readonly store: EventStore) {
    this.divisions = new FoldedStreams<DivisionState | null>(store, null, evolveDivision);
    this.accounts = new FoldedStreams(store, EMPTY_ACCOUNT, evolveAccount);
    this.agents = new FoldedStreams<AgentState | null>(store, null, evolveAgent);
  }

  division(divisionId: string): Promise<Folded<DivisionState | null>> {
    return this.divisions.load(divisionStream(divisionId));
  }

  account(divisionId: string): Promise<Folded<AccountState>> {
    return this.accounts.load(accountStream(divisionId));
  }

  agent(agentId: string): Promise<Folded<AgentState | null>> {
    return this.agents.load(agentStream(agentId));
  }

  /** @throws DivisionError `agent_not_found` */
  async existingAgent(agentId: string): Promise<Folded<AgentState>> {
    const { state, version } = await this.agent(agentId);
    if (state !== null) return { state, version };
    throw new DivisionError('agent_not_found', `There is no agent ${agentId}.`, { agentId });
  }

  /** The agent after the events just committed. */
  agentAfter(before: AgentState | null, committed: readonly StoredEvent[]): AgentState {
    const agent = committed.reduce((state, { event }) => evolveAgent(state, event), before);
    if (agent === null) throw new TypeError('nothing was decided about this agent');
    return agent;
  }

  /** @throws DivisionError `division_not_found` */
  async existing(divisionId: string): Promise<Folded<DivisionState>> {
    const { state, version } = await this.division(divisionId);
    if (state !== null) return { state, version };
    throw noSuchDivision(divisionId);
  }

  /** The division at an earlier version of its manifest. @throws DivisionError `division_not_found` */
  async atVersion(divisionId: string, version: number): Promise<DivisionState> {
    const events = await this.store.loadStream(divisionStream(divisionId));
    let state: DivisionState | null = null;
    for (const { event } of events) {
      state = evolveDivision(state, event);
      if (state?.version === version) return state;
    }
    throw noSuchDivision(divisionId, version);
  }
}

function noSuchDivision(divisionId: string, version?: number): DivisionError {
  const what =
    version === undefined ? `division ${divisionId}` : `version ${version} of the division ${divisionId}`;
  return new DivisionError('division_not_found', `There is no ${what}.`, { divisionId });
}
