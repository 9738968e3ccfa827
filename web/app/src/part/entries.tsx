import { useApolloClient } from '@apollo/client/react';
import { Anchor, Button, Skeleton } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import { memo, useCallback } from 'react';
import { Link } from 'wouter';

import { EntriesDocument, type EntryFragment } from '../api.gen';
import { usePages } from '../live/pages';
import { Empty } from './empty';
import { Problem } from './problem';
import { Rows, Unread } from './rows';
import { bytes } from './text';
import { Ago } from './time';

type Props = {
  publication: string;
  directory: string;
  prefix: string;
  /** Where the page of a directory is. */
  address: (directory: string) => string;
  /** Where clients find the files. */
  url: string;
};

/** What a directory of a publication has, read as far as somebody scrolls. */
export function Entries({ publication, directory, prefix, address, url }: Props) {
  const client = useApolloClient();
  const read = useCallback(async (after: string | undefined) => {
    const { data } = await client.query({ query: EntriesDocument, variables: { publication, directory, prefix, after }, fetchPolicy: 'no-cache' });
    if (!data?.publication) throw new Error(`${publication} is not there any more: something newer took its place.`);
    if (!data.publication.entries) throw new Error(`There is no directory ${directory} in ${publication}.`);
    const { nodes, pageInfo } = data.publication.entries;
    return { nodes: nodes.map((entry) => ({ ...entry, id: entry.path })), pageInfo };
  }, [client, publication, directory, prefix]);
  const { items, loading, error, hasMore, more, reload } = usePages(read);
  const onShown = useCallback((_: number, to: number) => {
    if (to >= items.length - 20) more();
  }, [items.length, more]);
  if (error !== undefined) return <Problem error={error} onRetry={reload} />;
  if (items.length === 0) return loading ? <Skeleton height={320} aria-label="Loading" /> : <Empty title={prefix ? `No name begins with ${prefix}` : 'Nothing is here'} />;
  return (
    <>
      <div className="entry head aside" aria-hidden><span>Name</span><span className="last">Size</span><span>Type</span><span>SHA-256</span><span>Bytes</span><span className="last">Modified</span></div>
      <Rows label={`What is in ${directory || 'the topmost directory'}`} count={items.length + (hasMore ? 1 : 0)} onShown={onShown}>
        {(index, top) => {
          const entry = items[index];
          return entry
            ? <Entry key={entry.path} entry={entry} top={top} position={index + 1} total={hasMore ? -1 : items.length}
                to={entry.kind === 'DIRECTORY' ? address(entry.path) : url + entry.path.split('/').map(encodeURIComponent).join('/')} />
            : <Unread key={index} top={top} />;
        }}
      </Rows>
    </>
  );
}

type EntryProps = { entry: EntryFragment; top: number; position: number; total: number; to: string };

const Entry = memo(function Entry({ entry, top, position, total, to }: EntryProps) {
  const place = { className: 'member entry', role: 'listitem', 'aria-posinset': position, 'aria-setsize': total, style: { transform: `translateY(${top}px)` } };
  if (entry.kind === 'DIRECTORY') return <div {...place}><span className="name"><Anchor component={Link} href={to} inherit>{entry.name}/</Anchor></span></div>;
  return (
    <div {...place}>
      <span className="name" title={entry.name}><Anchor href={to} inherit>{entry.name}</Anchor></span>
      <span className="numbers last">{bytes(entry.size ?? 0)}</span>
      <span className="aside type" title={entry.contentType ?? ''}>{entry.contentType}</span>
      <Digest of={entry.name} sha256={entry.sha256 ?? ''} />
      <span className="state" data-state={entry.stored ? 'COMPLETED' : 'WAITING'}>{entry.stored ? 'stored' : 'not fetched yet'}</span>
      <span className="aside numbers last modified">{entry.modifiedAt && <Ago at={entry.modifiedAt} />}</span>
    </div>
  );
});

/** A digest as far as there is room for it, to copy as a whole. */
function Digest({ of, sha256 }: { of: string; sha256: string }) {
  const clipboard = useClipboard();
  return (
    <span className="digest">
      <code title={sha256}>{sha256}</code>
      <Button size="compact-xs" variant="default" onClick={() => clipboard.copy(sha256)} aria-label={`Copy the SHA-256 of ${of}`}>{clipboard.copied ? 'Copied' : 'Copy'}</Button>
    </span>
  );
}
