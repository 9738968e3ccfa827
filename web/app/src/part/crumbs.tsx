import { Anchor } from '@mantine/core';
import type { Ref } from 'react';
import { Link } from 'wouter';

/** Where a directory lies, with a way to each one above it. */
export function Crumbs({ root, directory, address, here }: { root: string; directory: string; address: (directory: string) => string; here: Ref<HTMLSpanElement> }) {
  const names = directory === '' ? [] : directory.split('/');
  const all = [{ name: root, to: '' }, ...names.map((name, i) => ({ name, to: names.slice(0, i + 1).join('/') }))];
  return (
    <nav aria-label="Directories" className="grow">
      <ol className="crumbs">
        {all.map(({ name, to }, i) => (
          <li key={to}>
            {i < all.length - 1
              ? <Anchor component={Link} href={address(to)} inherit>{name}</Anchor>
              : <span aria-current="page" ref={here} tabIndex={-1}>{name}</span>}
          </li>
        ))}
      </ol>
    </nav>
  );
}
