import { createHash } from 'node:crypto';
import { Body, Controller, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type * as contract from '#openapi/kernel';
import { answered, Asking, type BytesAnswer, pageOf, type PageParameters, Policy } from '#platform/edge';
import { ReadsIndex, ReadsStore } from '#platform/audit-stream';
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
import { GetApprovalRequest } from '../get-approval-request.handler';
import { GetUpgradeEvidence } from '../get-upgrade-evidence.handler';
import { GetUpgrade, type UpgradeWithTimeline } from '../get-upgrade.handler';
import { ListUpgrades, type UpgradeFilter, type UpgradePage } from '../list-upgrades.handler';

@Controller('kernel/upgrade')
export class UpgradeController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  @Post()
  @Policy('upgrade.propose')
  async propose(
    @Body() body: { manifest: JsonObject; submittedBy?: string; artifact?: string },
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const { manifest, submittedBy = null } = body;
    const { upgradeId } = manifest;
    // The decider says what is wrong with an invalid id.
    const id = typeof upgradeId === 'string' && upgradeId !== '' ? upgradeId.slice(0, MAX_ID) : 'unnamed';
    const artifactSha256 = digestOf(body.artifact);
    const by = asking.actor.id;
    return this.decide(id, { kind: 'propose', manifest, artifactSha256, submittedBy, by }, asking);
  }

  @Get()
  @Policy('upgrade.read')
  @ReadsIndex()
  async list(
    @Query() { status = null, type = null, ...page }: PageParameters & Partial<UpgradeFilter>,
  ): Promise<UpgradePage> {
    return this.queries.execute(new ListUpgrades({ status, type }, pageOf(page)));
  }

  @Get(':id')
  @Policy('upgrade.read')
  @ReadsStore()
  async detail(@Param('id') id: string): Promise<UpgradeWithTimeline> {
    return this.queries.execute(new GetUpgrade(id));
  }

  @Get(':id/evidence')
  @Policy('upgrade.read')
  @ReadsStore()
  async evidence(@Param('id') id: string): Promise<UpgradeEvidence> {
    return this.queries.execute(new GetUpgradeEvidence(id));
  }

  @Get(':id/approval-request')
  @Policy('upgrade.read')
  @ReadsStore()
  async approvalRequest(
    @Param('id') id: string,
    @Query() query: contract.operations['getApprovalRequest']['parameters']['query'],
  ): Promise<contract.ApprovalRequest> {
    const { approverId, action = 'approve', keyId = null, approvedAt = null, notes = null } = query;
    return this.queries.execute(new GetApprovalRequest(id, { approverId, action, keyId, approvedAt, notes }));
  }

  @Post(':id/approve')
  @Policy('upgrade.decide')
  async approve(
    @Param('id') id: string,
    @Body() body: contract.SignedDecision,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    return this.sign('approve', id, body, asking);
  }

  @Post(':id/reject')
  @Policy('upgrade.decide')
  async reject(
    @Param('id') id: string,
    @Body() body: contract.SignedDecision,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    return this.sign('reject', id, body, asking);
  }

  @Post(':id/ratify')
  @Policy('upgrade.decide')
  async ratify(
    @Param('id') id: string,
    @Body() body: contract.SignedDecision,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    return this.sign('ratify', id, body, asking);
  }

  @Post(':id/check')
  @Policy('upgrade.report-check')
  async reportCheck(
    @Param('id') id: string,
    @Body() { name, passed, detail }: contract.CheckReport,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const { id: by, kind } = asking.actor;
    const report = { name, passed, detail: detail ?? null, by, byService: kind === 'service' };
    return this.decide(id, { kind: 'report-check', ...report }, asking);
  }

  @Post(':id/apply')
  @Policy('upgrade.apply')
  async apply(
    @Param('id') id: string,
    @Body() body: contract.ApplyUpgrade | undefined,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const { artifact, appliedBy: claimedBy = null } = body ?? {};
    const by = asking.actor.id;
    return this.decide(id, { kind: 'apply', artifactSha256: digestOf(artifact), claimedBy, by }, asking);
  }

  @Post(':id/emergency-apply')
  @Policy('upgrade.emergency-apply')
  async emergencyApply(
    @Param('id') id: string,
    @Body() { reason }: contract.Reason,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    return this.decide(id, { kind: 'emergency-apply', reason, by: asking.actor.id }, asking);
  }

  @Post(':id/withdraw')
  @Policy('upgrade.propose')
  async withdraw(
    @Param('id') id: string,
    @Body() { reason }: contract.Reason,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    return this.decide(id, { kind: 'withdraw', reason, by: asking.actor.id }, asking);
  }

  @Post(':id/complete')
  @Policy('upgrade.apply')
  async complete(
    @Param('id') id: string,
    @Body() body: Partial<contract.CompleteUpgrade> | undefined,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const { outcome = 'completed', detail = null } = body ?? {};
    return this.decide(id, { kind: 'complete', outcome, detail }, asking);
  }

  /** Proposes a rollback, which is itself an upgrade. */
  @Post(':id/rollback')
  @Policy('upgrade.propose')
  async rollback(
    @Param('id') id: string,
    @Body() { upgradeId, rationale }: contract.ProposeRollback,
    @Asking() asking: Asking,
  ): Promise<BytesAnswer> {
    const rollbackId = upgradeId ?? `${id.slice(0, MAX_ID - ROLLBACK_SUFFIX.length)}${ROLLBACK_SUFFIX}`;
    const manifest = { upgradeId: rollbackId, type: 'rollback', target: id, undoes: id, rationale };
    const by = asking.actor.id;
    const command = { kind: 'propose', manifest, artifactSha256: null, submittedBy: null, by } as const;
    return this.decide(rollbackId, command, asking);
  }

  private async sign(
    action: ApprovalAction,
    id: string,
    body: contract.SignedDecision,
    asking: Asking,
  ): Promise<BytesAnswer> {
    const { approverId, keyId = null, approvedAt, notes = null } = body;
    const signature = typeof body.signature === 'string' ? body.signature : standardBase64(body.signature);
    const signed = { approverId, keyId, approvedAt, notes, signature, approvalId: newEventId() };
    return this.decide(id, { kind: 'sign', action, ...signed, by: asking.actor.id }, asking);
  }

  private async decide(upgradeId: string, command: UpgradeCommand, asking: Asking): Promise<BytesAnswer> {
    return answered(await this.commands.execute(new DecideUpgrade(upgradeId, command, asking)));
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
