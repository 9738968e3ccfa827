import { useSubscription } from '@apollo/client/react';
import { ActionIcon, Anchor, AppShell, Burger, Group, NavLink, Skeleton, Text, useMantineColorScheme } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { type RefObject, Suspense, useEffect, useRef } from 'react';
import { Link, Route, Switch, useLocation } from 'wouter';

import { RevisionDocument } from './api.gen';
import { connection } from './live/client';
import { demand, forget, token } from './live/session';
import { useStore } from './live/store';
import { allows, useViewer } from './live/viewer';
import { Boundary } from './part/boundary';
import { navigation, routes } from './routes';
import { NotFound } from './page/notfound';
import { SignIn } from './page/signin';

// Where the server shows the reference of its API, unless it hides that.
const { reference } = document.getElementById('root')!.dataset;

/** The frame around every page: where one can go, and whether the server is there. */
export function Shell() {
  const [opened, { toggle, close }] = useDisclosure();
  const [path] = useLocation();
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const { needed } = useStore(demand);
  useEffect(() => {
    if (first.current) first.current = false;
    else main.current?.focus(); // so that the keyboard and screen readers follow
    close();
  }, [path, close]);
  if (needed) return <SignIn />;
  return <Frame path={path} opened={opened} toggle={toggle} main={main} />;
}

type FrameProps = { path: string; opened: boolean; toggle: () => void; main: RefObject<HTMLElement | null> };

function Frame({ path, opened, toggle, main }: FrameProps) {
  const viewer = useViewer();
  useSubscription(RevisionDocument, { fetchPolicy: 'no-cache', ignoreResults: true }); // so that there is a connection on every page, which tells whether the server is there
  return (
    <AppShell header={{ height: 52 }} navbar={{ width: 210, breakpoint: 'sm', collapsed: { mobile: !opened } }} padding="md">
      <a className="skip" href="#main">Skip to the content</a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Navigation" aria-expanded={opened} />
            <Link href="/" className="brand">Ream</Link>
          </Group>
          <Group gap="sm" wrap="nowrap">
            <Connection />
            {viewer?.name && <Text size="sm" c="dimmed" visibleFrom="sm">{viewer.name}</Text>}
            {token() !== null && <SignOut />}
            <ColorScheme />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" component="nav" aria-label="Pages" data-opened={opened || undefined}>
        {navigation.filter(({ needs }) => allows(viewer?.role, needs)).map(({ path: target, label }) => (
          <NavLink key={target} component={Link} href={target} label={label} active={isWithin(path, target)}
            aria-current={path === target ? 'page' : undefined} variant="light" />
        ))}
        <Anchor href="/playground" size="sm" px="sm" py={4} mt="auto">API playground</Anchor>
        {reference && <Anchor href={reference} size="sm" px="sm" py={4}>API reference</Anchor>}
      </AppShell.Navbar>
      <AppShell.Main id="main" ref={main} tabIndex={-1}>
        <div className="page">
          <Boundary key={path}>
            <Suspense fallback={<Skeleton height={320} radius="md" aria-label="Loading" />}>
              <Switch>
                {routes.map(({ path: pattern, page: Page }) => (
                  <Route key={pattern} path={pattern}>{({ id = '' }: { id?: string }) => <Page key={id} id={id} />}</Route>
                ))}
                <Route><NotFound /></Route>
              </Switch>
            </Suspense>
          </Boundary>
        </div>
      </AppShell.Main>
    </AppShell>
  );
}

function isWithin(path: string, target: string): boolean {
  return target === '/' ? path === '/' : path === target || path.startsWith(target + '/');
}

/** Says when the server is away. What is shown stays, and is right again as soon as the server is back. */
function Connection() {
  const state = useStore(connection);
  const text = { connecting: 'Connecting…', open: 'Live', lost: 'Reconnecting…' }[state];
  return (
    <Text component="span" size="sm" role="status" className="state" data-connection={state}
      data-state={state === 'lost' ? 'FAILED' : state === 'open' ? 'COMPLETED' : 'WAITING'}>
      {text}
    </Text>
  );
}

function SignOut() {
  const leave = () => {
    forget();
    location.assign('/'); // with nothing left of what was seen
  };
  return <Anchor component="button" type="button" size="sm" onClick={leave}>Sign out</Anchor>;
}

function ColorScheme() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const next = { auto: 'light', light: 'dark', dark: 'auto' } as const;
  const name = { auto: 'as the system', light: 'light', dark: 'dark' };
  const icon = { auto: '◐', light: '☀', dark: '☾' };
  return (
    <ActionIcon variant="default" onClick={() => setColorScheme(next[colorScheme])} title={`Colours: ${name[colorScheme]}`}
      aria-label={`Colours: ${name[colorScheme]}; change to ${name[next[colorScheme]]}`}>
      <span aria-hidden>{icon[colorScheme]}</span>
    </ActionIcon>
  );
}
