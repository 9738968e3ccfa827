import { Alert, Anchor, Button, NativeSelect, Skeleton, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { type RefObject, useEffect, useRef, useState } from 'react';
import { useSearchParams } from 'wouter';

import { DistributionDocument, type DistributionSubscription, type PublicationFactsFragment } from '../api.gen';
import { useFrames } from '../live/frames';
import { Crumbs } from '../part/crumbs';
import { Empty } from '../part/empty';
import { Entries } from '../part/entries';
import { isMissing, Problem } from '../part/problem';
import { bytes, several } from '../part/text';
import { Ago } from '../part/time';
import { PageTitle } from '../part/title';
import { To } from '../part/work';
import type { PageProps } from '../routes';
import { NotFound } from './notfound';

type Distribution = DistributionSubscription['distribution'];

/** What clients see below the path of a distribution, now or at a time. */
export default function DistributionPage({ id }: PageProps) {
  const { data, error, ended, restart } = useFrames(DistributionDocument, { id });
  if (ended || isMissing(error)) return <NotFound what="distribution" />;
  if (error) return <><PageTitle title={id} /><Problem error={error} onRetry={restart} /></>;
  if (!data) return <><PageTitle title={id} /><Skeleton height={480} radius="md" aria-label="Loading" /></>;
  return <Present distribution={data.distribution} />;
}

function Present({ distribution }: { distribution: Distribution }) {
  const { id, path, url, publication: served } = distribution;
  const [search] = useSearchParams();
  const here = useRef<HTMLSpanElement>(null);
  const directory = search.get('in') ?? '';
  const at = search.get('at');
  const then = at === null ? undefined : distribution.history.nodes.find((served) => served.since === at && served.path === path);
  const shown = useShown(served);
  const publication = at === null ? shown.publication : then?.publication;
  const before = useRef(directory);
  useEffect(() => {
    if (before.current !== directory) here.current?.focus(); // so that the keyboard and screen readers follow
    before.current = directory;
  }, [directory]);
  const address = (within: string) => `/published/${id}?${new URLSearchParams({ ...(within && { in: within }), ...(at !== null && { at }) })}`;
  return (
    <>
      <PageTitle title={path} about={publication && <About publication={publication} />}>
        <Times distribution={distribution} at={at} />
        <Button component="a" href={at === null ? url : `${url}@${at}/`} variant="default">As clients see it</Button>
      </PageTitle>
      {at === null && shown.newer && (
        <Alert mb="md" variant="outline" role="status" title={`Version ${served!.version.number} is served by now`}>
          This is what was served before it. <Anchor component="button" type="button" inherit onClick={shown.follow}>Show what is served now</Anchor>
        </Alert>
      )}
      <div className="panel">
        {!publication
          ? <Empty title={at === null ? 'Nothing is served here yet' : 'What was served then is kept no longer'}>{at === null && 'A publication of its repository changes that.'}</Empty>
          : <Directory key={`${publication.id} ${directory}`} publication={publication.id} root={path} directory={directory} address={address} url={at === null ? url : `${url}@${at}/`} here={here} />}
      </div>
    </>
  );
}

/** The publication that is shown: what was served when somebody came, until they want to see what is served by now. */
function useShown(served: Distribution['publication']) {
  const [publication, setPublication] = useState(served);
  useEffect(() => setPublication((shown) => shown ?? served), [served]);
  return { publication, newer: publication != null && served != null && served.id !== publication.id, follow: () => setPublication(served) };
}

function About({ publication: { version, repository, fileCount, bytes: size, createdAt } }: { publication: PublicationFactsFragment }) {
  return <>Version {version.number} of <To id={repository.id}>{repository.name}</To> · {several(fileCount, 'file')}, {bytes(size)} · published <Ago at={createdAt} /></>;
}

/** A choice of the times for which it is known what was served at this path. */
function Times({ distribution: { path, history: { nodes } }, at }: { distribution: Distribution; at: string | null }) {
  const [, setSearch] = useSearchParams();
  const past = nodes.filter((served) => served.until != null && served.path === path);
  if (past.length === 0 && at === null) return null;
  const choose = (since: string) => setSearch((before) => {
    before.delete('at');
    if (since) before.set('at', since);
    return before;
  });
  return (
    <NativeSelect aria-label="As of" value={at ?? ''} onChange={(event) => choose(event.currentTarget.value)} data={[
      { value: '', label: 'As it is now' },
      ...past.map(({ since, publication }) => ({ value: since, label: `As of ${new Date(since).toLocaleString()}${publication ? `, version ${publication.version.number}` : ''}` })),
      ...(at !== null && past.every(({ since }) => since !== at) ? [{ value: at, label: `As of ${at}` }] : []),
    ]} />
  );
}

type DirectoryProps = { publication: string; root: string; directory: string; address: (directory: string) => string; url: string; here: RefObject<HTMLSpanElement | null> };

function Directory({ publication, root, directory, address, url, here }: DirectoryProps) {
  const [prefix, setPrefix] = useState('');
  const [sought] = useDebouncedValue(prefix, 250);
  return (
    <>
      <div className="line" style={{ marginBottom: '.75rem' }}>
        <Crumbs root={root} directory={directory} address={address} here={here} />
        <TextInput size="xs" type="search" aria-label="Only names that begin with" placeholder="Begins with…" value={prefix} onChange={(event) => setPrefix(event.currentTarget.value)} />
      </div>
      <Entries key={sought} publication={publication} directory={directory} prefix={sought} address={address} url={url} />
    </>
  );
}
