import { Alert, Stack, Switch, Text, Textarea, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { type components } from '#openapi/kernel';
import { answered, api } from '../../api/client';
import { PageLink } from '../../parts/page-link';
import { Empty, Loaded } from '../../parts/states';
import { Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { useDraft } from '../../session/draft';
import { permitted, useSession, whyNot } from '../../session/session';
import { Choices } from '../operations/choices';
import { Recorded } from '../operations/command-state';
import { Confirmation, Effects } from '../operations/confirmation';
import { Section } from '../operations/section';
import { useCommand } from '../../api/use-command';
import { EventTable } from '../audit/event-table';
import { doubtQuery } from './doubt-query';
import { compromiseEffects } from './effects';
import { type RegisteredKey, signsFor } from './key-facts';
import { candidatesQuery } from './key-queries';
import { MakeKey } from './make-key';
import { OneKey } from './one-key';
import { type Since, sinceOf } from './since';
import { whyNotCompromise } from './why-not-key';

const route = getRouteApi('/keys/$kid/compromise');
/** The candidate is chosen by the kernel. */
const FIRST = '';

export function CompromiseScreen(): ReactNode {
  const { kid } = route.useParams();
  return (
    <OneKey kid={kid} title={`Cut off ${visibleText(kid)}`}>
      {(key, { signers }) => <Steps keyOf={key} signers={signers} />}
    </OneKey>
  );
}

interface Typed {
  readonly since: string;
  readonly reason: string;
  readonly emergencyKid: string;
  readonly stayReadOnly: boolean;
}

const NOTHING: Typed = { since: '', reason: '', emergencyKid: FIRST, stayReadOnly: false };

function Steps({
  keyOf: key,
  signers,
}: {
  keyOf: RegisteredKey;
  signers: readonly RegisteredKey[];
}): ReactNode {
  const { signer_kid: kid, purposes } = key;
  const session = useSession();
  const [typed, setTyped, forget] = useDraft<Typed>(`compromise:${kid}`, NOTHING);
  const since = sinceOf(typed.since);
  const reason = typed.reason.trim();
  const isAuditKey = signsFor(signers, kid).includes('audit');
  const command = useCommand(
    (body: components['schemas']['CompromiseKeyRequest'], attempt) =>
      answered(
        api.POST('/kernel/keys/{kid}/compromise', {
          params: { path: { kid }, header: { 'Idempotency-Key': attempt } },
          body,
        }),
      ),
    { touches: [['keys'], ['status'], ['mode']], done: () => forget() },
  );
  if (command.data !== undefined) return <Done answer={command.data} />;
  const ended = whyNotCompromise(key);
  const missing =
    since === null
      ? 'Say since when others may have had it.'
      : reason === ''
        ? 'Say what is known; it is recorded.'
        : null;
  const send = () => {
    if (since === null) return;
    command.mutate({
      since,
      reason,
      ...(typed.emergencyKid !== FIRST && { emergencyKid: typed.emergencyKid }),
      ...(typed.stayReadOnly && { stayReadOnly: true }),
    });
  };
  return (
    <>
      <Alert color="red" title="For a key that is, or may be, in someone else's hands" role="note" mb="lg">
        If in doubt, do it: a key that turns out to be safe costs one new key. The same step is for a key that
        is lost and that no one else has.
      </Alert>
      <ol className="steps">
        <li>
          <Section title="Since when">
            <Stack gap="sm">
              <TextInput
                label="The earliest moment that you cannot rule out"
                description="A position of the chain (0:1041), which is exact in its shard, or a time (2026-05-03T14:00:00Z)"
                value={typed.since}
                onChange={({ currentTarget: { value } }) => setTyped({ ...typed, since: value })}
                error={
                  typed.since.trim() !== '' && since === null
                    ? 'It takes a position (0:1041) or a time with its offset (2026-05-03T14:00:00Z).'
                    : null
                }
                maxLength={64}
                spellCheck={false}
                autoComplete="off"
              />
              {since !== null &&
                (purposes.includes('audit') ? (
                  <InDoubt kid={kid} since={since} />
                ) : (
                  <Text size="sm">
                    It signs no events. What it signed from then on is not valid any more, whoever made it;
                    the manifests that were signed here are in the chain as{' '}
                    <PageLink
                      to="/audit"
                      search={{ type: 'manifest.signed', ...('ts' in since && { from: since.ts }) }}
                    >
                      manifest.signed
                    </PageLink>
                    .
                  </Text>
                ))}
            </Stack>
          </Section>
        </li>
        <li>
          <Section title="What is known">
            <Textarea
              label="Goes into the chain"
              value={typed.reason}
              onChange={({ currentTarget: { value } }) => setTyped({ ...typed, reason: value })}
              maxLength={900}
              rows={3}
            />
          </Section>
        </li>
        <li>
          <Section title="The key in its place">
            <Replacement
              purposes={purposes}
              value={typed.emergencyKid}
              choose={(emergencyKid) => setTyped({ ...typed, emergencyKid })}
            />
            <Switch
              mt="sm"
              label="Leave the kernel read-only afterwards"
              checked={typed.stayReadOnly}
              onChange={({ currentTarget: { checked } }) => setTyped({ ...typed, stayReadOnly: checked })}
            />
          </Section>
        </li>
        <li>
          <Section title="Cut it off">
            <Confirmation
              effects={compromiseEffects({
                kid,
                since: typed.since.trim() === '' ? 'that moment' : typed.since.trim(),
                emergencyKid: typed.emergencyKid === FIRST ? null : typed.emergencyKid,
                isAuditKey,
                stayReadOnly: typed.stayReadOnly,
              })}
              words={`cut off ${kid}`}
              label="Cut off the key"
              fresh
              why={whyNot(session, 'keys.manage') ?? ended ?? missing}
              pending={command.isPending}
              error={command.error}
              run={send}
            />
          </Section>
        </li>
      </ol>
    </>
  );
}

/** What the key has signed since then, as far as a page shows it. */
function InDoubt({ kid, since }: { kid: string; since: Since }): ReactNode {
  const mayRead = permitted(useSession(), 'audit.read') === 'all';
  const query = useQuery({ ...doubtQuery(kid, since), enabled: mayRead });
  if (!mayRead) return null;
  return (
    <Loaded query={query} what="Looking for what it signed since then">
      {({ events, isMore, from }) =>
        events.length === 0 ? (
          <Empty title="No event since then is signed by it">
            As far as the index knows. Of manifests that it signed outside this kernel nothing is known.
          </Empty>
        ) : (
          <Stack gap="xs">
            <Text size="sm">
              {isMore
                ? `More than ${events.length} events`
                : `${events.length} event${events.length === 1 ? '' : 's'}`}{' '}
              would be in doubt, and valid by the new key&rsquo;s statement only:{' '}
              <PageLink to="/audit" search={{ signerKid: kid, ...(from !== null && { from }) }}>
                all of them
              </PageLink>
              .
            </Text>
            <EventTable events={events.slice(0, 5)} caption="The first events in doubt" />
          </Stack>
        )
      }
    </Loaded>
  );
}

function Replacement({
  purposes,
  value,
  choose,
}: {
  purposes: RegisteredKey['purposes'];
  value: string;
  choose: (kid: string) => void;
}): ReactNode {
  const query = useQuery(candidatesQuery);
  return (
    <Loaded query={query} what="Asking the signing backend">
      {({ candidates }) => {
        const fitting = candidates.filter(({ purposes: has }) => purposes.every((one) => has.includes(one)));
        return (
          <Stack gap="sm">
            {fitting.length === 0 ? (
              <>
                <Alert
                  color="orange"
                  role="note"
                  title="The signing backend holds no key that could take its place"
                >
                  Without one, the step leaves the kernel read-only until there is one.
                </Alert>
                <MakeKey purpose={purposes[0] ?? 'audit'} />
              </>
            ) : (
              <Choices
                legend="Held by the signing backend"
                value={value}
                choose={choose}
                choices={[
                  { value: FIRST, label: 'The first that fits' },
                  ...fitting.map(({ signer_kid }) => ({ value: signer_kid, label: signer_kid })),
                ]}
              />
            )}
          </Stack>
        );
      }}
    </Loaded>
  );
}

function Done({ answer }: { answer: components['schemas']['CompromisedKey'] }): ReactNode {
  const { kid, emergencyKid, compromisedAt, reattested, position, mode } = answer;
  return (
    <Stack gap="md">
      <Recorded title={`${kid} is cut off; ${emergencyKid} signs in its place`} position={position}>
        It counts as compromised since <Time at={compromisedAt} />. The kernel is {mode}.
      </Recorded>
      <Section title="What it signed since then, and the kernel stands by">
        {reattested.length === 0 ? (
          <Empty title="Nothing" />
        ) : (
          <Effects
            of={reattested.map(
              ({ shard, from, to, count }) =>
                `${count} event${count === 1 ? '' : 's'}, positions ${shard}:${from.seq} to ${shard}:${to.seq}`,
            )}
          />
        )}
      </Section>
      <Section title="Now">
        <ul className="effects">
          <li>
            Hand out the new signers.json (<PageLink to="/keys">Keys</PageLink>) to everyone who verifies.
          </li>
          <li>Take the key out of the signing proxy, and disable or destroy it where it is kept.</li>
          <li>
            Go through the events in doubt: is each of them something that your people and services did?
          </li>
          <li>Make the next key for such a day. Everything else is in runbooks/key-compromise.md.</li>
        </ul>
      </Section>
    </Stack>
  );
}
