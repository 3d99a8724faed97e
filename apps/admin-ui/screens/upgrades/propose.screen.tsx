import { Button, Group, NativeSelect, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useDeferredValue, useMemo, useState } from 'react';
import { type JsonObject, manifestDigest } from '#evidence';
import { type components } from '#openapi/kernel';
import { answered, api } from '../../api/client';
import { useConnection } from '../../api/connection';
import { told } from '../../api/problem';
import { useCommand } from '../../api/use-command';
import { Digest } from '../../parts/digest';
import { JsonView } from '../../parts/json-view';
import { PageTitle } from '../../parts/page-title';
import { Failure } from '../../parts/states';
import { WhyButton } from '../../parts/why-button';
import { useDraft } from '../../session/draft';
import { useSession, whyNot } from '../../session/session';
import { Permitted } from '../../shell/permitted';
import { Difference } from './difference';
import { poolDocument } from './in-force';
import { Part } from './part';
import { type Field, NOTHING_TYPED, readProposal, type Typed, TYPES } from './proposal';
import { approversQuery } from './upgrade-queries';

type Manifest = components['schemas']['ProposeUpgrade']['manifest'];

export function ProposeScreen(): ReactNode {
  return (
    <Permitted action="upgrade.propose" title="Propose an upgrade">
      <Propose />
    </Permitted>
  );
}

function Propose(): ReactNode {
  const session = useSession();
  const { mode } = useConnection();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [typed, setTyped, forget] = useDraft<Typed>('propose', NOTHING_TYPED);
  const [hasTried, setTried] = useState(false);
  const [wrong, setWrong] = useState<string | null>(null);
  // A large manifest is read when nobody types.
  const calm = useDeferredValue(typed);
  const { manifest, problems } = useMemo(() => readProposal(calm), [calm]);
  const propose = useCommand(
    async (document: JsonObject, key: string) =>
      answered(
        api.POST('/kernel/upgrade', {
          params: { header: { 'Idempotency-Key': key } },
          body: { manifest: document as unknown as Manifest },
        }),
      ),
    {
      touches: [['upgrades']],
      done: ({ upgrade }) => {
        forget();
        void navigate({ to: '/upgrades/$id', params: { id: upgrade.upgradeId } });
      },
    },
  );
  const change = (part: Partial<Typed>) => setTyped({ ...typed, ...part });
  const field = (name: Field) => ({
    value: typed[name],
    // Not before somebody had a chance to fill it in.
    error: hasTried || typed[name] !== NOTHING_TYPED[name] ? problems[name] : undefined,
    onChange: ({ currentTarget: { value } }: { currentTarget: { value: string } }) =>
      change({ [name]: value }),
  });
  const [problem] = Object.values(problems);
  const why =
    whyNot(session, 'upgrade.propose') ??
    (mode !== null && mode !== 'normal' ? `The kernel is in ${mode} mode: nothing can be recorded.` : null) ??
    (hasTried ? (problem ?? null) : null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (manifest !== null && problem === undefined && !propose.isPending) propose.mutate(manifest);
  };
  const takePool = () => {
    setWrong(null);
    queries
      .fetchQuery(approversQuery)
      .then((pool) => change({ more: JSON.stringify({ pool: poolDocument(pool) }, null, 2) }))
      .catch((error: unknown) => setWrong(told(error).detail));
  };
  const isOwn = !TYPES.some(({ type }) => type === typed.type);
  return (
    <>
      <PageTitle>Propose an upgrade</PageTitle>
      <form onSubmit={submit} aria-label="Proposal" noValidate>
        <Stack gap="lg">
          <Part title="Proposal">
            <Stack maw={760}>
              <Text size="sm">
                It cannot be changed once it is proposed: people approve exactly what is here. Whoever
                proposes it has no vote about it.
              </Text>
              <TextInput
                label="Id"
                description="Chosen by you, once for ever."
                placeholder="billing-1.4.0"
                maxLength={128}
                spellCheck={false}
                autoComplete="off"
                {...field('upgradeId')}
              />
              <NativeSelect
                label="Type"
                value={isOwn ? '' : typed.type}
                onChange={({ currentTarget: { value } }) => change({ type: value })}
                data={[
                  ...TYPES.map(({ type, says }) => ({ value: type, label: `${type}: ${says}` })),
                  { value: '', label: 'a type of your organisation' },
                ]}
              />
              {isOwn && (
                <TextInput
                  label="Type of your organisation"
                  placeholder="policy_activation"
                  {...field('type')}
                />
              )}
              <TextInput
                label="Target"
                description="What is changed; needed for code and manifest."
                placeholder="billing-service"
                spellCheck={false}
                autoComplete="off"
                {...field('target')}
              />
              <Textarea
                label="Rationale"
                description="Why, for the people who approve."
                autosize
                minRows={2}
                {...field('rationale')}
              />
              <Textarea
                label="Other members of the manifest"
                description='A JSON object, such as { "patchSha256": …, "preconditions": ["smoke-test"] }. All of it is approved with the rest.'
                autosize
                minRows={4}
                maxRows={24}
                spellCheck={false}
                styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
                {...field('more')}
              />
              {typed.type === 'approver_pool' && (
                <Group>
                  <Button variant="default" size="sm" onClick={takePool}>
                    Begin with the pool in force
                  </Button>
                  {wrong !== null && <Text size="sm">{wrong}</Text>}
                </Group>
              )}
            </Stack>
          </Part>
          {manifest !== null && typed.upgradeId !== '' && (
            <>
              <Part title="What it changes">
                <Difference manifest={manifest} />
              </Part>
              <Part title="What people will approve">
                <JsonView value={manifest} what="Manifest" />
                <Text size="sm" mt="sm">
                  SHA-256 of the manifest:
                </Text>
                <Digest value={manifestDigest(manifest)} what="the digest of the manifest" whole />
              </Part>
            </>
          )}
          {propose.error !== null && <Failure error={propose.error} />}
          <Group align="flex-start">
            <WhyButton
              why={why}
              loading={propose.isPending}
              onClick={() => {
                setTried(true);
                if (manifest !== null && problem === undefined) propose.mutate(manifest);
              }}
            >
              Propose it
            </WhyButton>
            <Button
              variant="subtle"
              onClick={() => {
                setTyped(NOTHING_TYPED);
                setTried(false);
              }}
            >
              Empty the form
            </Button>
          </Group>
        </Stack>
      </form>
    </>
  );
}
