import { Injectable } from '@nestjs/common';
import { type PoolState } from '#evidence';
import { GovernanceReader } from './governance.reader';

/** Largest age of the answer: it only lets a caller through to the handlers, which check for themselves. */
const MAX_AGE_MS = 1_000;

/** The approvers, for the guard: people who may read about upgrades and sign them without any role. */
@Injectable()
export class ApproverDirectory {
  private cached: { at: number; principals: ReadonlyMap<string, string> } | undefined;
  private loading: Promise<ReadonlyMap<string, string>> | undefined;

  constructor(private readonly reader: GovernanceReader) {}

  async isApprover(principal: string): Promise<boolean> {
    return (await this.approverOf(principal)) !== null;
  }

  /** The id of the approver whose principal this is; null when no one's. */
  async approverOf(principal: string): Promise<string | null> {
    if (this.cached === undefined || performance.now() - this.cached.at > MAX_AGE_MS) {
      this.loading ??= this.load().finally(() => (this.loading = undefined));
      await this.loading;
    }
    return this.cached?.principals.get(principal) ?? null;
  }

  private async load(): Promise<ReadonlyMap<string, string>> {
    const { state } = await this.reader.pool();
    const principals = new Map(state === null ? [] : principalsOf(state));
    this.cached = { at: performance.now(), principals };
    return principals;
  }
}

/** Approvers of the pool in force and of the settled one: while they differ, both have something to decide. */
function principalsOf({ inForce, settled }: PoolState): [principal: string, approverId: string][] {
  return [settled, inForce].flatMap(({ pool }) =>
    pool.approvers.flatMap(({ id, principals }) =>
      principals.map((principal): [string, string] => [principal, id]),
    ),
  );
}
