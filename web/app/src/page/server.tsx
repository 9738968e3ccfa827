import { useQuery } from '@apollo/client/react';
import { Anchor, type MantineColorScheme, SegmentedControl, Skeleton, Table, Text, useMantineColorScheme } from '@mantine/core';

import { ServerDocument, type ServerQuery } from '../api.gen';
import { Fact } from '../part/fact';
import { Problem } from '../part/problem';
import { Scrolling } from '../part/scrolling';
import { duration } from '../part/text';
import { Ago, useNow } from '../part/time';
import { PageTitle } from '../part/title';

// Where the server shows the reference of its API, unless it hides that.
const { reference } = document.getElementById('root')!.dataset;

/** What the server is and how it is set, and who looks at it. */
export default function ServerPage() {
  const { data, error, refetch } = useQuery(ServerDocument);
  return (
    <>
      <PageTitle title="Server" about="What it is, how it is set, and who you are to it" />
      {!data && error && <Problem error={error} onRetry={() => void refetch().catch(() => undefined)} />}
      {!data && !error && <Skeleton height={480} radius="md" aria-label="Loading" />}
      {data && (
        <div className="stack">
          <div className="halves">
            <About server={data.server} />
            <You viewer={data.viewer} />
          </div>
          <Looks />
          <Limits limits={data.server.limits} />
        </div>
      )}
    </>
  );
}

function About({ server: { version, startedAt, database, storage } }: { server: ServerQuery['server'] }) {
  const now = useNow();
  return (
    <section className="panel" aria-labelledby="about">
      <h2 id="about">This server</h2>
      <dl className="facts">
        <Fact name="Version">{version}</Fact>
        <Fact name="Runs for"><time dateTime={startedAt} title={`since ${new Date(startedAt).toLocaleString()}`}>{duration(Math.max(0, Math.round((now - Date.parse(startedAt)) / 1000)))}</time></Fact>
        {database && <Fact name="Database">{{ SQLITE: 'SQLite, embedded', POSTGRESQL: 'PostgreSQL' }[database]}</Fact>}
        {storage && <Fact name="Storage">{{ DISK: 'a directory', S3: 'an S3-compatible store' }[storage]}</Fact>}
        <Fact name="API">
          <Anchor href="/playground" inherit>Playground</Anchor>
          {reference && <>, <Anchor href={reference} inherit>reference</Anchor></>}, <Anchor href="/api/v1/openapi.json" inherit>OpenAPI of the plain HTTP</Anchor>
        </Fact>
      </dl>
    </section>
  );
}

const known: Record<ServerQuery['viewer']['kind'], string> = {
  TOKEN: 'by a token', OPENID: 'by your identity provider', LOCAL: 'as a user of its system', ANONYMOUS: 'by nothing: everybody who reaches the server is let in',
};

function You({ viewer: { kind, name, role, labels, expiresAt } }: { viewer: ServerQuery['viewer'] }) {
  return (
    <section className="panel" aria-labelledby="you">
      <h2 id="you">You</h2>
      <dl className="facts">
        {name && <Fact name="Name">{name}</Fact>}
        <Fact name="Known">{known[kind]}</Fact>
        <Fact name="Role">{role.toLowerCase()}</Fact>
        <Fact name="You see">{labels != null ? <>the repositories with <code>{labels}</code></> : 'all repositories'}</Fact>
        {kind !== 'ANONYMOUS' && <Fact name="Good until">{expiresAt ? <>{new Date(expiresAt).toLocaleString()}, <Ago at={expiresAt} /></> : 'it is revoked'}</Fact>}
      </dl>
    </section>
  );
}

function Looks() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <section className="panel" aria-labelledby="looks">
      <h2 id="looks">Colours</h2>
      <SegmentedControl aria-label="Colours" value={colorScheme} onChange={(value) => setColorScheme(value as MantineColorScheme)}
        data={[{ value: 'auto', label: 'As the system' }, { value: 'light', label: 'Light' }, { value: 'dark', label: 'Dark' }]} />
      <Text size="sm" c="dimmed" mt="xs">This browser remembers it.</Text>
    </section>
  );
}

function Limits({ limits }: { limits: ServerQuery['server']['limits'] }) {
  return (
    <section className="panel" aria-labelledby="limits">
      <h2 id="limits">What clients may ask for at most</h2>
      <Scrolling label="Table of limits">
        <Table className="cards">
          <Table.Thead><Table.Tr><Table.Th>Limit</Table.Th><Table.Th ta="right">Value</Table.Th><Table.Th>Of</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {limits.map(({ name, about, value }) => (
              <Table.Tr key={name}>
                <Table.Td><code>{name}</code></Table.Td>
                <Table.Td className="numbers" data-label="Value" data-limit={name} ta={{ base: 'left', sm: 'right' }}>{Number.parseInt(value, 10) === 0 ? 'none' : value}</Table.Td>
                <Table.Td data-label="Of">{about}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Scrolling>
      <Text size="sm" c="dimmed" mt="xs">The flag <code>--limits</code> sets them, or the variable <code>REAM_LIMITS</code>.</Text>
    </section>
  );
}
