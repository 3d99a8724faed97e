import {
  EvidenceError,
  type JsonObject,
  type JsonValue,
  parseStrictJson,
  readApproverPool,
  readSigner,
} from '#evidence';

/** What somebody types to propose an upgrade. */
export interface Typed {
  readonly upgradeId: string;
  readonly type: string;
  readonly target: string;
  readonly rationale: string;
  /** The other members of the manifest, a JSON object. */
  readonly more: string;
}

export const NOTHING_TYPED: Typed = { upgradeId: '', type: 'code', target: '', rationale: '', more: '{}' };

/** Types of upgrades, and what they change. */
export const TYPES: readonly { readonly type: string; readonly says: string }[] = [
  { type: 'code', says: 'a program that is deployed' },
  { type: 'manifest', says: 'a manifest that others obey' },
  { type: 'policy', says: 'how long approvals, proposals and ratifications hold' },
  { type: 'approver_pool', says: 'who decides' },
  { type: 'signer_rotation', says: 'the key that the kernel signs with' },
  { type: 'rollback', says: 'undoes an upgrade' },
];

export type Field = keyof Typed;
export type Problems = Partial<Record<Field, string>>;

const ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const TYPE = /^[a-z][a-z0-9_.-]{0,63}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const CHECK_NAME = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/;
const MAX_RATIONALE = 4_000;
const MAX_CHECKS = 32;
const MAX_HOURS = 8_784;
const FIELDS_OF_FORM = ['upgradeId', 'type', 'rationale', 'target'];
const PERIODS = ['approvalTtlHours', 'proposalTtlHours', 'ratificationHours'];

/** The manifest that a form makes, and what is wrong with it, field by field. */
export function readProposal(typed: Typed): { manifest: JsonObject | null; problems: Problems } {
  const problems: Problems = {};
  const upgradeId = typed.upgradeId.trim();
  const type = typed.type.trim();
  const target = typed.target.trim();
  if (!ID.test(upgradeId))
    problems.upgradeId =
      'An id is 1 to 128 letters, digits and the characters . _ : - and begins with a letter or digit.';
  if (!TYPE.test(type)) problems.type = 'A type is lower-case letters, digits and the characters _ . -';
  if (typed.rationale.trim() === '') problems.rationale = 'Say why: the people who approve read it.';
  else if (typed.rationale.length > MAX_RATIONALE)
    problems.rationale = `At most ${MAX_RATIONALE} characters; these are ${typed.rationale.length}.`;
  const more = membersOf(typed.more);
  if (typeof more === 'string') return { manifest: null, problems: { ...problems, more } };
  const twice = FIELDS_OF_FORM.find(
    (name) => Object.hasOwn(more, name) && (name !== 'target' || target !== ''),
  );
  if (twice !== undefined) problems.more = `${twice} has a field of its own above; take it out here.`;
  if ((type === 'code' || type === 'manifest') && target === '' && !isTarget(more['target']))
    problems.target = 'Say what it changes.';
  const manifest: JsonObject = {
    upgradeId,
    type,
    ...(target !== '' && { target }),
    rationale: typed.rationale,
    ...more,
  };
  const refused = problemOf(type, manifest);
  if (refused !== null) problems.more ??= refused;
  return { manifest, problems };
}

function isTarget(value: JsonValue | undefined): boolean {
  return value !== undefined && value !== null && value !== '';
}

function membersOf(text: string): JsonObject | string {
  if (text.trim() === '') return {};
  try {
    const value = parseStrictJson(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
    return 'This is no JSON object: it begins with { and ends with }.';
  } catch (error) {
    return `This is not the JSON that can be signed: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** What the kernel would refuse in the members beyond the form's. */
function problemOf(type: string, manifest: JsonObject): string | null {
  const { patchSha256, preconditions, autoApply, undoes, from } = manifest;
  if (
    patchSha256 !== undefined &&
    patchSha256 !== null &&
    !(typeof patchSha256 === 'string' && SHA256.test(patchSha256))
  )
    return 'patchSha256 is 64 lower-case hexadecimal digits.';
  if (autoApply !== undefined && typeof autoApply !== 'boolean') return 'autoApply is true or false.';
  if (preconditions !== undefined && !isCheckList(preconditions))
    return `preconditions is a list of at most ${MAX_CHECKS} different names of checks.`;
  switch (type) {
    case 'approver_pool':
      return refusalOf(() => readApproverPool(manifest['pool'], '/pool'), 'pool');
    case 'policy':
      return isPolicy(manifest['policy'])
        ? null
        : `policy is { ${PERIODS.join(', ')} }, each a whole number of hours.`;
    case 'signer_rotation':
      if (typeof from !== 'string') return 'from is the id of the signing key that is replaced.';
      return refusalOf(() => readSigner(manifest['signer']), 'signer');
    case 'rollback':
      return typeof undoes === 'string' && ID.test(undoes)
        ? null
        : 'undoes is the id of the upgrade to undo.';
    default:
      return null;
  }
}

function isCheckList(value: JsonValue): boolean {
  return (
    Array.isArray(value) &&
    value.length <= MAX_CHECKS &&
    value.every((name) => typeof name === 'string' && CHECK_NAME.test(name)) &&
    new Set(value).size === value.length
  );
}

function isPolicy(value: JsonValue | undefined): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return (
    Object.keys(value).length === PERIODS.length &&
    PERIODS.every((name) => {
      const hours = value[name];
      return Number.isInteger(hours) && (hours as number) >= 1 && (hours as number) <= MAX_HOURS;
    })
  );
}

function refusalOf(read: () => unknown, what: string): string | null {
  try {
    read();
    return null;
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return `${what}: ${error.message}${error.pointer === undefined ? '' : ` (${error.pointer})`}`;
  }
}
