import '../operations/operations.css';
import { Alert, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { type Column, CursorPaging, DataTable } from '../../parts/cursor-table';
import { PageTitle } from '../../parts/page-title';
import { Empty, Loaded } from '../../parts/states';
import { Age, Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { type Session, useSession } from '../../session/session';
import { Permitted } from '../../shell/permitted';
import { AskedButton } from '../operations/asked';
import { Section } from '../operations/section';
import { type Command, useCommand } from '../../api/use-command';
import { endSessions, type OpenSession, ownSessionsQuery, sessionsQuery } from './session-queries';

const route = getRouteApi('/sessions');
type EndCommand = Command<readonly string[], { ended: number }>;

export function SessionsScreen(): ReactNode {
  return (
    <Permitted action="session.manage" title="Sessions">
      <Sessions />
    </Permitted>
  );
}

function Sessions(): ReactNode {
  const session = useSession();
  const command: EndCommand = useCommand((ids: readonly string[]) => endSessions(ids), {
    touches: [['sessions']],
  });
  const ended = command.data?.ended;
  return (
    <>
      <PageTitle>Sessions</PageTitle>
      <Stack gap="xl">
        {ended !== undefined && (
          <Alert
            color="teal"
            role="status"
            title={ended === 1 ? 'A session is ended' : `${ended} sessions are ended`}
          >
            In force in every kernel process. The chain has it as session.closed, at once or as soon as
            something can be signed.
          </Alert>
        )}
        <Own session={session} command={command} />
        {session.roles.includes('SuperAdmin') && <Everybody session={session} command={command} />}
      </Stack>
    </>
  );
}

function columns(session: Session, command: EndCommand, withPerson: boolean): Column<OpenSession>[] {
  const person: Column<OpenSession> = {
    title: 'Person',
    cell: ({ name, principal, roles, division }) => (
      <>
        <Text fw={600} className="breaks" size="sm">
          {visibleText(name ?? principal)}
        </Text>
        <Text size="xs" c="dimmed" className="breaks">
          {name !== null && `${visibleText(principal)} · `}
          {roles.length === 0 ? 'no role' : roles.join(', ')}
          {division !== null && ` of ${division}`}
        </Text>
      </>
    ),
  };
  return [
    ...(withPerson ? [person] : []),
    {
      title: 'Signed in',
      cell: ({ id, createdAt, endsAt }) => (
        <>
          <Time at={createdAt} />
          {id === session.sessionId && <strong> (this one)</strong>}
          <Text size="xs" c="dimmed" hiddenFrom="md">
            until <Time at={endsAt} /> at most
          </Text>
        </>
      ),
    },
    { title: 'Last seen', isExtra: true, cell: ({ seenAt }) => <Age at={seenAt} /> },
    { title: 'Ends unused', isExtra: true, cell: ({ idleEndsAt }) => <Age at={idleEndsAt} /> },
    { title: 'Ends in any case', isExtra: true, isWhole: true, cell: ({ endsAt }) => <Time at={endsAt} /> },
    {
      title: 'End',
      cell: ({ id, name, principal, createdAt }) =>
        id === session.sessionId ? (
          <Text size="sm">sign out above</Text>
        ) : (
          <AskedButton
            label="End"
            title={
              principal === session.principal
                ? 'End this session of yours?'
                : `End a session of ${visibleText(name ?? principal)}?`
            }
            effects={[
              `Whoever has the page that was signed in at ${createdAt} open is signed out there at their next request.`,
              principal === session.principal
                ? 'Your other sessions go on.'
                : 'They can sign in again, as long as the identity provider lets them.',
            ]}
            color="red"
            command={command}
            body={[id]}
          />
        ),
    },
  ];
}

function Own({ session, command }: { session: Session; command: EndCommand }): ReactNode {
  const query = useQuery(ownSessionsQuery(session.principal));
  return (
    <Section title="Yours">
      <Loaded query={query} what="Reading your sessions">
        {({ sessions, isPart }) => {
          const others = sessions.filter(({ id }) => id !== session.sessionId).map(({ id }) => id);
          return (
            <Stack gap="sm">
              <DataTable
                caption="Your sessions, oldest first"
                rows={sessions}
                keyOf={({ id }) => id}
                columns={columns(session, command, false)}
              />
              {isPart && (
                <Text size="sm">There are so many sessions that not all were looked through for yours.</Text>
              )}
              <Group>
                <AskedButton
                  label="End all others"
                  title={
                    others.length === 1
                      ? 'End your other session?'
                      : `End your ${others.length} other sessions?`
                  }
                  effects={['You stay signed in here, and nowhere else.']}
                  why={others.length === 0 ? 'This is your only session.' : null}
                  color="red"
                  size="sm"
                  command={command}
                  body={others}
                />
              </Group>
            </Stack>
          );
        }}
      </Loaded>
    </Section>
  );
}

function Everybody({ session, command }: { session: Session; command: EndCommand }): ReactNode {
  const { cursor } = route.useSearch();
  const navigate = useNavigate();
  const query = useQuery(sessionsQuery(cursor));
  return (
    <Section title="Everybody's">
      <Loaded query={query} what="Reading the sessions">
        {({ sessions, nextCursor }) =>
          sessions.length === 0 ? (
            <Empty title="No session is open on this page" />
          ) : (
            <>
              <DataTable
                caption="Everybody's sessions, oldest first"
                rows={sessions}
                keyOf={({ id }) => id}
                columns={columns(session, command, true)}
              />
              <CursorPaging
                cursor={cursor}
                nextCursor={nextCursor}
                count={sessions.length}
                what="session"
                go={(next) =>
                  void navigate({ to: '/sessions', search: next === undefined ? {} : { cursor: next } })
                }
              />
            </>
          )
        }
      </Loaded>
    </Section>
  );
}
