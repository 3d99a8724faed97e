import '../operations/operations.css';
import { Stack, Textarea } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode } from 'react';
import { type components } from '#openapi/kernel';
import { answered, api } from '../../api/client';
import { type Mode } from '../../api/connection';
import { modeQuery } from '../../api/queries';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { Loaded } from '../../parts/states';
import { Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { useDraft } from '../../session/draft';
import { useSession, whyNot } from '../../session/session';
import { Permitted } from '../../shell/permitted';
import { Choices } from '../operations/choices';
import { Recorded } from '../operations/command-state';
import { Confirmation } from '../operations/confirmation';
import { Section } from '../operations/section';
import { useCommand } from '../../api/use-command';
import { MODE_USES, modeEffects, MODES, modeWords } from './mode-words';

export function ChangeModeScreen(): ReactNode {
  return (
    <Permitted action="mode.manage" title="Change the mode">
      <Page />
    </Permitted>
  );
}

function Page(): ReactNode {
  const query = useQuery(modeQuery);
  return (
    <>
      <PageTitle>Change the mode</PageTitle>
      <Loaded query={query} what="Asking for the mode">
        {(state) => <Steps state={state} />}
      </Loaded>
    </>
  );
}

interface Typed {
  readonly to: Mode | null;
  readonly reason: string;
}

function Steps({ state }: { state: components['schemas']['ModeState'] }): ReactNode {
  const session = useSession();
  const [typed, setTyped, forget] = useDraft<Typed>('mode', { to: null, reason: '' });
  const command = useCommand(
    (body: components['schemas']['ModeRequest'], key) =>
      answered(api.POST('/kernel/admin/mode', { params: { header: { 'Idempotency-Key': key } }, body })),
    { touches: [['mode'], ['status']], done: () => forget() },
  );
  if (command.data !== undefined) {
    const { mode, since, position, auditId } = command.data;
    const isNew = auditId !== null;
    return (
      <Recorded
        title={isNew ? `The kernel is ${mode}` : `The kernel was ${mode} already`}
        {...(isNew && { position })}
        auditId={auditId}
      >
        In force since <Time at={since} />; in every kernel process within a second.{' '}
        <PageLink to="/system">System</PageLink>
      </Recorded>
    );
  }
  const others = MODES.filter((mode) => mode !== state.mode);
  const to = others.find((mode) => mode === typed.to) ?? null;
  const reason = typed.reason.trim();
  return (
    <ol className="steps">
      <li>
        <Section title="Which mode">
          <Stack gap="sm">
            <span className="breaks">
              The kernel is {state.mode} since <Time at={state.since} />: {visibleText(state.reason)}
            </span>
            <Choices
              legend="Change it to"
              value={to}
              choose={(value) => setTyped({ ...typed, to: value })}
              choices={others.map((mode) => ({ value: mode, label: mode, detail: MODE_USES[mode] }))}
            />
          </Stack>
        </Section>
      </li>
      <li>
        <Section title="Why">
          <Textarea
            label="Goes into the chain with the change"
            value={typed.reason}
            onChange={({ currentTarget: { value } }) => setTyped({ ...typed, reason: value })}
            maxLength={1_000}
            rows={3}
          />
        </Section>
      </li>
      <li>
        <Section title="Change it">
          {to === null ? (
            'Choose the mode first.'
          ) : (
            <Confirmation
              key={to}
              effects={modeEffects(state.mode, to)}
              words={modeWords(to)}
              label={`Put ${to} into force`}
              fresh
              why={
                whyNot(session, 'mode.manage') ??
                (state.restoring ? 'The store is being rebuilt: the replay ends the mode.' : null) ??
                (reason === '' ? 'Say why; it is recorded.' : null)
              }
              pending={command.isPending}
              error={command.error}
              run={() => command.mutate({ mode: to, reason })}
            />
          )}
        </Section>
      </li>
    </ol>
  );
}
