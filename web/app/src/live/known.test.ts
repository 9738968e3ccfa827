import { expect, test } from 'vitest';

import { type Known, renewed } from './known';

type Item = { id: string; name: string };

const items = (from: number, to: number, name = 'old'): Item[] => Array.from({ length: to - from }, (_, i) => ({ id: `item-${from + i}`, name }));
const page = (nodes: Item[], next?: string) => ({ nodes, pageInfo: { hasNextPage: next !== undefined, endCursor: next } });

test.each<[string, Known<Item>, ReturnType<typeof page>, Known<Item>]>([
  ['nothing was read yet', { items: [], ended: false }, page(items(0, 2)), { items: items(0, 2), next: undefined, ended: true }],
  ['one is gone', { items: items(0, 3), ended: true }, page(items(1, 3)), { items: items(1, 3), next: undefined, ended: true }],
  ['all are gone', { items: items(0, 3), ended: true }, page([]), { items: [], next: undefined, ended: true }],
  ['there are more than a page by now', { items: items(0, 99), ended: true }, page(items(0, 100), 'c'), { items: items(0, 100), next: 'c', ended: false }],
  ['more was read', { items: items(0, 150), next: 'd', ended: false }, page(items(0, 100, 'new'), 'c'), { items: [...items(0, 100, 'new'), ...items(100, 150)], next: 'd', ended: false }],
])('%s', (_, known, pushed, want) => expect(renewed(known, pushed)).toEqual(want));
