import {
  ActionIcon,
  AppShell,
  Burger,
  Button,
  Group,
  NavLink,
  Popover,
  SegmentedControl,
  Stack,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { type ReactNode, useEffect, useState } from 'react';
import { told } from '../api/problem';
import { statusQuery } from '../api/queries';
import { Time, useTimes } from '../parts/times';
import { shownName, signOut, useSession } from '../session/session';
import { Banners } from './banners';
import { MoonIcon, PersonIcon, SunIcon } from './icons';
import { entryOf, navigationFor } from './navigation';
import { useLiveUpgrades } from './live-upgrades';

/** Frame of every screen: who is signed in, where one can go, and what everyone has to know. */
export function Shell(): ReactNode {
  const session = useSession();
  const [isOpen, { toggle, close }] = useDisclosure(false);
  const path = useRouterState({ select: ({ location }) => location.pathname });
  useLiveUpgrades();
  const entries = navigationFor(session);
  const here = entryOf(entries, path);
  // On a phone the navigation lies over the page.
  useEffect(close, [path, close]);

  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 220, breakpoint: 'sm', collapsed: { mobile: !isOpen } }}
      padding={{ base: 'md', sm: 'lg' }}
      transitionDuration={0}
    >
      <a className="skip-link" href="#content" onClick={skip}>
        Skip to the content
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger
              opened={isOpen}
              onClick={toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label={isOpen ? 'Close the navigation' : 'Open the navigation'}
              aria-expanded={isOpen}
              aria-controls="navigation"
            />
            <Text fw={700} component={Link} to="/" c="inherit" td="none" truncate>
              Illuvrse kernel
            </Text>
            <Origin />
          </Group>
          <Group gap="xs" wrap="nowrap">
            <SchemeButton />
            <Account />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="sm" id="navigation" aria-label="Screens">
        <Stack gap={4} component="ul" m={0} p={0} className="plain-list">
          {entries.map(({ label, to }) => {
            const isHere = to === here?.to;
            return (
              <li key={to}>
                <NavLink
                  component={Link}
                  to={to}
                  // By itself it would take every path below its own for its own.
                  activeOptions={{ exact: true }}
                  label={label}
                  active={isHere}
                  variant="filled"
                  className="navigation-entry"
                  aria-current={isHere ? 'page' : undefined}
                />
              </li>
            );
          })}
        </Stack>
      </AppShell.Navbar>
      <AppShell.Main>
        <Banners />
        <div id="content" tabIndex={-1}>
          <Outlet />
        </div>
      </AppShell.Main>
    </AppShell>
  );
}

/** Which kernel this is: people look after several. */
function Origin(): ReactNode {
  const { data } = useQuery(statusQuery);
  return (
    <Text size="sm" c="dimmed" visibleFrom="sm" truncate>
      {data?.origin}
    </Text>
  );
}

function skip(event: { preventDefault: () => void }): void {
  event.preventDefault();
  document.getElementById('content')?.focus();
}

function SchemeButton(): ReactNode {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  const other = scheme === 'dark' ? 'light' : 'dark';
  return (
    <ActionIcon
      variant="default"
      size="lg"
      aria-label={`Use ${other} colours`}
      onClick={() => setColorScheme(other)}
    >
      {scheme === 'dark' ? <SunIcon /> : <MoonIcon />}
    </ActionIcon>
  );
}

/** Who is signed in, and how times are shown. */
function Account(): ReactNode {
  const session = useSession();
  const { zone, setZone } = useTimes();
  const [problem, setProblem] = useState<string | null>(null);
  const [isLeaving, setLeaving] = useState(false);
  const roles = session.roles.length === 0 ? 'no role' : session.roles.join(', ');
  return (
    <Popover position="bottom-end" width={290} trapFocus withinPortal={false}>
      <Popover.Target>
        <Button
          variant="default"
          size="sm"
          leftSection={<PersonIcon />}
          aria-label={`${shownName(session)}, ${roles}: account and sign-out`}
        >
          <Text span size="sm" truncate className="account-name">
            {shownName(session)}
          </Text>
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label="Account">
        <Stack gap="sm">
          <Stack gap={2}>
            <Text fw={600} className="breaks">
              {shownName(session)}
            </Text>
            <Text size="sm" c="dimmed" className="breaks">
              {session.principal}
            </Text>
            <Text size="sm">
              Role: {roles}
              {session.division !== null && ` of division ${session.division}`}
            </Text>
            {session.approverId !== null && <Text size="sm">Approver: {session.approverId}</Text>}
            <Text size="sm" c="dimmed">
              Signed in until <Time at={session.until} />
            </Text>
          </Stack>
          <Stack gap={4}>
            <Text size="sm" id="zone-label">
              Times
            </Text>
            <SegmentedControl
              aria-labelledby="zone-label"
              size="xs"
              value={zone}
              onChange={(value) => setZone(value)}
              data={[
                { label: 'This device', value: 'local' },
                { label: 'UTC', value: 'utc' },
              ]}
            />
          </Stack>
          <Button
            variant="default"
            size="sm"
            loading={isLeaving}
            onClick={() => {
              setProblem(null);
              setLeaving(true);
              signOut().catch((error: unknown) => {
                setProblem(told(error).detail);
                setLeaving(false);
              });
            }}
          >
            Sign out
          </Button>
          {problem !== null && (
            <Text size="sm" role="alert">
              You are still signed in: {problem}
            </Text>
          )}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
