import { Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { type components } from '#openapi/kernel';
import { answered, api } from '../../api/client';
import { ApiProblem } from '../../api/problem';
import { upgradeQuery } from '../../api/queries';
import { PageLink } from '../../parts/page-link';
import { StateWord } from '../../parts/state-word';
import { Empty, Loaded } from '../../parts/states';
import { Time } from '../../parts/times';
import { UpgradeLink } from '../../parts/upgrade-link';
import { visibleText } from '../../parts/visible-text';
import { useDraft } from '../../session/draft';
import { useSession, whyNot } from '../../session/session';
import { Choices } from '../operations/choices';
import { Recorded } from '../operations/command-state';
import { Confirmation } from '../operations/confirmation';
import { Section } from '../operations/section';
import { type Command, useCommand } from '../../api/use-command';
import { rotationEffects, type RotationManifest, rotationManifest, rotationUpgradeId } from './effects';
import { type KeyPurpose, PURPOSE_TEXTS, signsFor } from './key-facts';
import { candidatesQuery, type KeyCandidates } from './key-queries';
import { MakeKey } from './make-key';
import { OneKey } from './one-key';

const route = getRouteApi('/keys/$kid/rotate');

export function RotateScreen(): ReactNode {
  const { kid } = route.useParams();
  return (
    <OneKey kid={kid} title={`Replace ${visibleText(kid)}`}>
      {(_, { signers }) => <Rotation kid={kid} purposes={signsFor(signers, kid)} />}
    </OneKey>
  );
}

function Rotation({ kid, purposes }: { kid: string; purposes: readonly KeyPurpose[] }): ReactNode {
  const query = useQuery(candidatesQuery);
  // Here, since the key signs nothing any more as soon as it is done.
  const direct = useCommand(
    (body: components['schemas']['RotateKeyRequest'], key) =>
      answered(api.POST('/kernel/keys/rotate', { params: { header: { 'Idempotency-Key': key } }, body })),
    { touches: [['keys'], ['status']] },
  );
  if (direct.data !== undefined) return <Rotated answer={direct.data} />;
  if (purposes.length === 0) {
    return (
      <Empty title="It signs nothing now">
        <Text span inherit>
          Another key has taken its place, or it has ended:{' '}
          <PageLink to="/keys">which keys sign now</PageLink>.
        </Text>
      </Empty>
    );
  }
  return (
    <Loaded query={query} what="Asking the signing backend">
      {(found) => <Steps kid={kid} purposes={purposes} found={found} direct={direct} />}
    </Loaded>
  );
}

interface Typed {
  readonly purpose: KeyPurpose | null;
  readonly to: string | null;
  readonly rationale: string;
}

type RotatedKey = components['schemas']['RotatedKey'];
type DirectRotation = Command<components['schemas']['RotateKeyRequest'], RotatedKey>;

function Steps({
  kid,
  purposes,
  found,
  direct,
}: {
  kid: string;
  purposes: readonly KeyPurpose[];
  found: KeyCandidates;
  direct: DirectRotation;
}): ReactNode {
  const [typed, setTyped] = useDraft<Typed>(`rotate:${kid}`, { purpose: null, to: null, rationale: '' });
  const purpose = purposes.find((one) => one === typed.purpose) ?? purposes[0] ?? 'audit';
  const fitting = found.candidates.filter(({ purposes: has }) => has.includes(purpose));
  const to = fitting.find(({ signer_kid }) => signer_kid === typed.to)?.signer_kid ?? null;
  const isDirect = found.directRotation.includes(purpose);
  return (
    <ol className="steps">
      <li>
        <Section title="For what">
          {purposes.length === 1 ? (
            <Text>
              It signs {purpose}: {PURPOSE_TEXTS[purpose]}.
            </Text>
          ) : (
            <Choices
              legend="It signs for several purposes"
              value={purpose}
              choose={(value) => setTyped({ ...typed, purpose: value, to: null })}
              choices={purposes.map((value) => ({ value, label: value, detail: PURPOSE_TEXTS[value] }))}
            />
          )}
        </Section>
      </li>
      <li>
        <Section title="The new key">
          <Stack gap="md">
            {fitting.length === 0 ? (
              <Empty title="The signing backend holds no new key for this">Have it make one.</Empty>
            ) : (
              <Choices
                legend="Held by the signing backend, and never registered"
                value={to}
                choose={(value) => setTyped({ ...typed, to: value })}
                choices={fitting.map(({ signer_kid, purposes: has }) => ({
                  value: signer_kid,
                  label: signer_kid,
                  detail: `for ${has.join(' and ')}`,
                }))}
              />
            )}
            <MakeKey key={purpose} purpose={purpose} />
          </Stack>
        </Section>
      </li>
      <li>
        <Section title={isDirect ? 'Replace it' : 'Propose it'}>
          {to === null ? (
            <Text c="dimmed">Choose the new key first.</Text>
          ) : isDirect ? (
            <Direct
              key={`${purpose} ${to}`}
              kid={kid}
              purpose={purpose}
              to={to}
              found={found}
              direct={direct}
            />
          ) : (
            <Proposal
              key={`${purpose} ${to}`}
              purpose={purpose}
              to={to}
              found={found}
              rationale={typed.rationale}
              setRationale={(rationale) => setTyped({ ...typed, rationale })}
            />
          )}
        </Section>
      </li>
      <li>
        <Section title="Afterwards">
          <Afterwards kid={kid} />
        </Section>
      </li>
    </ol>
  );
}

function Afterwards({ kid }: { kid: string }): ReactNode {
  return (
    <ul className="effects">
      <li>
        Hand out the new signers.json (<PageLink to="/keys">Keys</PageLink>): verifiers without it report an
        unknown key.
      </li>
      <li>
        Retire {kid} once every process has had time to change over (
        <PageLink to="/keys/$kid/retire" params={{ kid }}>
          the step
        </PageLink>
        ). There is no hurry.
      </li>
    </ul>
  );
}

function Rotated({ answer }: { answer: RotatedKey }): ReactNode {
  const { from, to, position, auditId, retireAfter } = answer;
  return (
    <Stack gap="md">
      <Recorded title={`${to} signs in the place of ${from}`} position={position} auditId={auditId}>
        The old key may be retired after <Time at={retireAfter} />.
      </Recorded>
      <Section title="Now">
        <Afterwards kid={from} />
      </Section>
    </Stack>
  );
}

function Direct({
  kid,
  purpose,
  to,
  found,
  direct,
}: {
  kid: string;
  purpose: KeyPurpose;
  to: string;
  found: KeyCandidates;
  direct: DirectRotation;
}): ReactNode {
  const session = useSession();
  return (
    <Confirmation
      effects={rotationEffects(found, purpose, to)}
      words={`replace ${kid} by ${to}`}
      label="Replace the key"
      why={whyNot(session, 'keys.manage')}
      pending={direct.isPending}
      error={direct.error}
      run={() => direct.mutate({ purpose, to })}
    />
  );
}

function Proposal({
  purpose,
  to,
  found,
  rationale,
  setRationale,
}: {
  purpose: KeyPurpose;
  to: string;
  found: KeyCandidates;
  rationale: string;
  setRationale: (rationale: string) => void;
}): ReactNode {
  const session = useSession();
  const upgradeId = rotationUpgradeId(to);
  const before = useQuery({ ...upgradeQuery(upgradeId), retry: false });
  const manifest = rotationManifest(found, purpose, to, rationale);
  const command = useCommand(
    (body: { manifest: RotationManifest }, key) =>
      answered(api.POST('/kernel/upgrade', { params: { header: { 'Idempotency-Key': key } }, body })),
    { touches: [['upgrades']] },
  );
  if (before.data !== undefined) {
    const { upgrade } = before.data;
    return (
      <Stack gap="xs">
        <Text className="breaks">
          The upgrade <UpgradeLink id={upgradeId} /> is <StateWord colour="gray">{upgrade.status}</StateWord>
        </Text>
        <Text size="sm">
          {upgrade.quorum.missing > 0
            ? `It waits for ${upgrade.quorum.missing} more of its approvers, and is applied by itself when they have signed.`
            : 'No signature is missing.'}{' '}
          The new key signs once it is applied; until then the old one does.
        </Text>
      </Stack>
    );
  }
  const isNew = before.error instanceof ApiProblem && before.error.status === 404;
  if (!isNew) return <Loaded query={before}>{() => null}</Loaded>;
  return (
    <Stack gap="sm">
      <TextInput
        label="Why, for the approvers"
        placeholder={`${to} in the place of ${found.inForce[purpose] ?? ''} for ${purpose}`}
        value={rationale}
        onChange={({ currentTarget: { value } }) => setRationale(value)}
        maxLength={1_000}
        autoComplete="off"
      />
      <Confirmation
        effects={rotationEffects(found, purpose, to)}
        words={`propose ${upgradeId}`}
        label="Propose the rotation"
        why={whyNot(session, 'upgrade.propose')}
        pending={command.isPending}
        error={command.error}
        run={() => {
          if (manifest !== null) command.mutate({ manifest });
        }}
      />
    </Stack>
  );
}
