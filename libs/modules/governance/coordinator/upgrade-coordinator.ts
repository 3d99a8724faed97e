import { Injectable, Logger } from '@nestjs/common';
import { answerBytes, EventStore, KERNEL_ACTOR } from '#platform/event-store';
import { GovernanceError } from '../domain/governance.error';
import { type Governance } from '../domain/plan-effect';
import { missingChecks, quorumFor, statusOf } from '../domain/upgrade.quorum';
import { type UpgradeCommand } from '../domain/upgrade.decider';
import { type UpgradeState } from '../domain/upgrade.state';
import { GovernanceReader } from '../governance.reader';
import { UpgradeDecisions } from '../upgrade.decisions';

const PAGE = 500;

/** Result of one pass over all open upgrades. */
export interface CoordinatorPass {
  applied: string[];
  expired: string[];
  rolledBack: string[];
  /** Upgrades that people must roll back: the kernel cannot undo effects outside of it. */
  rollbackRequired: string[];
  /** Number of upgrades applied in an emergency, neither ratified nor settled yet. */
  unratified: number;
  open: number;
  /** Decisions that are due but cannot be made now, with the reason. */
  failed: { upgradeId: string; reason: string }[];
}

/**
 * Acts when time requires it: applies upgrades that are flagged for it and may be applied, records expired ones,
 * settles emergencies that were not ratified. It decides nothing itself: each step is a command to the upgrade, judged
 * like anyone's, and committed whole or not at all. So it may die anywhere, and two only do the same work twice.
 */
@Injectable()
export class UpgradeCoordinator {
  private readonly logger = new Logger(UpgradeCoordinator.name);
  /** Upgrades for which nothing will ever be due again. */
  private readonly settled = new Set<string>();
  private readonly open = new Set<string>();
  private cursor: string | null = null;

  constructor(
    private readonly store: EventStore,
    private readonly reader: GovernanceReader,
    private readonly decisions: UpgradeDecisions,
  ) {}

  /** @param holds asked before each decision: a term that is over no longer decides anything */
  async pass(holds: () => boolean = () => true): Promise<CoordinatorPass> {
    const pass: CoordinatorPass = {
      applied: [],
      expired: [],
      rolledBack: [],
      rollbackRequired: [],
      unratified: 0,
      open: 0,
      failed: [],
    };
    await this.findNew();
    if (this.open.size === 0) return pass;
    for (const upgradeId of [...this.open]) {
      if (!holds()) break;
      const { state, events } = await this.reader.existing(upgradeId);
      // Read again for each: the decision before may have changed the pool.
      const { governance } = await this.reader.governance();
      const now = await this.reader.now(events);
      const due = this.due(state, governance, now);
      if (due !== null) {
        await this.decide(upgradeId, due, pass);
        // The next pass sees the result.
        pass.open++;
        continue;
      }
      const status = statusOf(state, governance, now);
      if (status === 'emergency_applied') pass.unratified++;
      if (['proposed', 'approved', 'emergency_applied'].includes(status)) pass.open++;
      else this.settle(upgradeId);
    }
    return pass;
  }

  private due(state: UpgradeState, governance: Governance, now: number): UpgradeCommand | null {
    switch (state.status) {
      case 'proposed':
      case 'approved':
        if (now >= Date.parse(state.expiresAt)) return { kind: 'expire' };
        return state.manifest.autoApply &&
          quorumFor(state, 'approve', governance, now).reached &&
          missingChecks(state).length === 0
          ? { kind: 'apply', artifactSha256: null, claimedBy: null, by: KERNEL_ACTOR.id }
          : null;
      case 'emergency_applied': {
        const ratifyBy = state.application?.ratifyBy ?? null;
        return ratifyBy !== null && now >= Date.parse(ratifyBy) ? { kind: 'settle-emergency' } : null;
      }
      default:
        return null;
    }
  }

  private async decide(upgradeId: string, command: UpgradeCommand, pass: CoordinatorPass): Promise<void> {
    const asking = { actor: KERNEL_ACTOR, correlationId: null, idempotency: null };
    let status = '';
    try {
      await this.decisions.decide(upgradeId, command, asking, (decided) => {
        status = decided.state.status;
        return answerBytes(200, {});
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      pass.failed.push({ upgradeId, reason });
      // A command refused by a rule stays due until a person acts; a failed one is tried again at the next pass.
      if (error instanceof GovernanceError)
        this.logger.warn(`${command.kind} of ${upgradeId} is due: ${reason}`);
      else this.logger.error(`${command.kind} of ${upgradeId} failed: ${reason}`);
      return;
    }
    if (status === 'applied') pass.applied.push(upgradeId);
    if (status === 'expired') pass.expired.push(upgradeId);
    if (status === 'rolled_back') pass.rolledBack.push(upgradeId);
    if (status === 'rollback_required') pass.rollbackRequired.push(upgradeId);
    const line = `${upgradeId} is ${status}`;
    if (command.kind === 'settle-emergency') this.logger.error(`nobody ratified an emergency: ${line}`);
    else this.logger.log(line);
  }

  /** Every proposal of the chain, from the end of the last pass. */
  private async findNew(): Promise<void> {
    for (;;) {
      const page = await this.store.query({
        type: 'upgrade.proposed',
        limit: PAGE,
        ...(this.cursor === null ? {} : { cursor: this.cursor }),
      });
      for (const { event } of page.events) {
        const upgradeId = event.stream.slice('upgrade/'.length);
        if (!this.settled.has(upgradeId)) this.open.add(upgradeId);
      }
      // The last page is read again the next time: it grows.
      if (page.nextCursor === null) return;
      this.cursor = page.nextCursor;
    }
  }

  private settle(upgradeId: string): void {
    this.open.delete(upgradeId);
    this.settled.add(upgradeId);
  }
}
