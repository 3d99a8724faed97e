import { createHash } from 'node:crypto';
import { Body, Controller, Get, Headers, Inject, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  type BytesAnswer,
  Caller,
  Context,
  Policy,
  type Principal,
  type RequestContext,
  answered,
  askedBy,
  MIN_POSITION,
  pageOf,
  type PageParameters,
} from '#platform/edge';
import { PositionReached } from '#platform/audit-stream';
import {
  type ApprovalAction,
  base64Decode,
  type JsonObject,
  type UpgradeEvidence,
  type WebAuthnAssertion,
} from '#evidence';
import { newEventId } from '#platform/event-store';
import { DecideUpgrade } from '../decide-upgrade.handler';
import { GovernanceError } from '../domain/governance.error';
import { type UpgradeCommand } from '../domain/upgrade.decider';
import { type ApprovalRequest, GetApprovalRequest } from '../get-approval-request.handler';
import { GetUpgradeEvidence } from '../get-upgrade-evidence.handler';
import { GetUpgrade, type UpgradeWithTimeline } from '../get-upgrade.handler';
import { ListUpgrades, type UpgradeFilter, type UpgradePage } from '../list-upgrades.handler';

interface Signing {
  approverId: string;
  keyId?: string;
  approvedAt: string;
  notes?: string | null;
  signature: string | WebAuthnAssertion;
}

@Controller('kernel/upgrade')
export class UpgradeController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
    private readonly position: PositionReached,
  ) {}

  @Post()
  @Policy('upgrade.propose')
  async propose(
    @Body() body: { manifest: JsonObject; submittedBy?: string; artifact?: string },
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const { manifest, submittedBy, artifact } = body;
    const upgradeId = manifest['upgradeId'];
    return this.decide(
      // The decider says what is wrong with an invalid id.
      typeof upgradeId === 'string' && upgradeId !== '' ? upgradeId.slice(0, MAX_ID) : 'unnamed',
      {
        kind: 'propose',
        manifest,
        artifactSha256: digestOf(artifact),
        submittedBy: submittedBy ?? null,
        by: caller.id,
      },
      caller,
      context,
    );
  }

  @Get()
  @Policy('upgrade.read')
  async list(
    @Query() { status = null, type = null, ...page }: PageParameters & Partial<UpgradeFilter>,
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<UpgradePage> {
    await this.position.indexed(minPosition);
    return this.queries.execute(new ListUpgrades({ status, type }, pageOf(page)));
  }

  @Get(':id')
  @Policy('upgrade.read')
  async detail(
    @Param('id') id: string,
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<UpgradeWithTimeline> {
    await this.position.committed(minPosition);
    return this.queries.execute(new GetUpgrade(id));
  }

  @Get(':id/evidence')
  @Policy('upgrade.read')
  async evidence(
    @Param('id') id: string,
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<UpgradeEvidence> {
    await this.position.committed(minPosition);
    return this.queries.execute(new GetUpgradeEvidence(id));
  }

  @Get(':id/approval-request')
  @Policy('upgrade.read')
  async approvalRequest(
    @Param('id') id: string,
    @Query()
    query: {
      approverId: string;
      action?: ApprovalAction;
      keyId?: string;
      approvedAt?: string;
      notes?: string;
    },
    @Headers(MIN_POSITION) minPosition?: string,
  ): Promise<ApprovalRequest> {
    await this.position.committed(minPosition);
    const { approverId, action = 'approve', keyId = null, approvedAt = null, notes = null } = query;
    return this.queries.execute(new GetApprovalRequest(id, { approverId, action, keyId, approvedAt, notes }));
  }

  @Post(':id/approve')
  @Policy('upgrade.decide')
  async approve(
    @Param('id') id: string,
    @Body() body: Signing,
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    return this.sign('approve', id, body, caller, context);
  }

  @Post(':id/reject')
  @Policy('upgrade.decide')
  async reject(
    @Param('id') id: string,
    @Body() body: Signing,
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    return this.sign('reject', id, body, caller, context);
  }

  @Post(':id/ratify')
  @Policy('upgrade.decide')
  async ratify(
    @Param('id') id: string,
    @Body() body: Signing,
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    return this.sign('ratify', id, body, caller, context);
  }

  @Post(':id/check')
  @Policy('upgrade.report-check')
  async reportCheck(
    @Param('id') id: string,
    @Body() { name, passed, detail }: { name: string; passed: boolean; detail?: string },
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const byService = caller.kind === 'service';
    const command = {
      kind: 'report-check',
      name,
      passed,
      detail: detail ?? null,
      by: caller.id,
      byService,
    } as const;
    return this.decide(id, command, caller, context);
  }

  @Post(':id/apply')
  @Policy('upgrade.apply')
  async apply(
    @Param('id') id: string,
    @Body() body: { appliedBy?: string; artifact?: string } | undefined,
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const artifactSha256 = digestOf(body?.artifact);
    return this.decide(
      id,
      { kind: 'apply', artifactSha256, by: body?.appliedBy ?? caller.id },
      caller,
      context,
    );
  }

  @Post(':id/emergency-apply')
  @Policy('upgrade.emergency-apply')
  async emergencyApply(
    @Param('id') id: string,
    @Body() { reason }: { reason: string },
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    return this.decide(id, { kind: 'emergency-apply', reason, by: caller.id }, caller, context);
  }

  @Post(':id/withdraw')
  @Policy('upgrade.propose')
  async withdraw(
    @Param('id') id: string,
    @Body() { reason }: { reason: string },
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    return this.decide(id, { kind: 'withdraw', reason, by: caller.id }, caller, context);
  }

  @Post(':id/complete')
  @Policy('upgrade.apply')
  async complete(
    @Param('id') id: string,
    @Body() body: { outcome?: 'completed' | 'failed'; detail?: string } | undefined,
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const { outcome = 'completed', detail = null } = body ?? {};
    return this.decide(id, { kind: 'complete', outcome, detail }, caller, context);
  }

  /** Proposes a rollback, which is itself an upgrade. */
  @Post(':id/rollback')
  @Policy('upgrade.propose')
  async rollback(
    @Param('id') id: string,
    @Body() { upgradeId, rationale }: { upgradeId?: string; rationale: string },
    @Caller() caller: Principal,
    @Context() context: RequestContext,
  ): Promise<BytesAnswer> {
    const rollbackId = upgradeId ?? `${id.slice(0, MAX_ID - ROLLBACK_SUFFIX.length)}${ROLLBACK_SUFFIX}`;
    const manifest = { upgradeId: rollbackId, type: 'rollback', target: id, undoes: id, rationale };
    return this.decide(
      rollbackId,
      { kind: 'propose', manifest, artifactSha256: null, submittedBy: null, by: caller.id },
      caller,
      context,
    );
  }

  private async sign(
    action: ApprovalAction,
    id: string,
    { approverId, keyId, approvedAt, notes, signature }: Signing,
    caller: Principal,
    context: RequestContext,
  ): Promise<BytesAnswer> {
    return this.decide(
      id,
      {
        kind: 'sign',
        action,
        approverId,
        keyId: keyId ?? null,
        approvedAt,
        notes: notes ?? null,
        signature: typeof signature === 'string' ? signature : standardBase64(signature),
        approvalId: newEventId(),
        by: caller.id,
      },
      caller,
      context,
    );
  }

  private async decide(
    upgradeId: string,
    command: UpgradeCommand,
    caller: Principal,
    context: RequestContext,
  ): Promise<BytesAnswer> {
    const asking = askedBy(caller, context);
    return answered(context, await this.commands.execute(new DecideUpgrade(upgradeId, command, asking)));
  }
}

const MAX_ID = 128;
const ROLLBACK_SUFFIX = '.rollback';

function digestOf(artifact: string | undefined): string | null {
  if (artifact === undefined) return null;
  const bytes = base64Decode(artifact);
  if (bytes === null) {
    throw new GovernanceError('invalid_manifest', 'The artifact must be standard base64 with padding.', {
      pointer: '/artifact',
    });
  }
  return createHash('sha256').update(bytes).digest('hex');
}

/** Browsers send base64url (WebAuthn Level 3, section 5.1.8); the evidence has one spelling, standard base64. */
function standardBase64(assertion: WebAuthnAssertion): WebAuthnAssertion {
  const { credentialId, clientDataJSON, authenticatorData, signature } = assertion;
  const standard = (text: string) => Buffer.from(text, 'base64url').toString('base64');
  return {
    credentialId: standard(credentialId),
    clientDataJSON: standard(clientDataJSON),
    authenticatorData: standard(authenticatorData),
    signature: standard(signature),
  };
}
