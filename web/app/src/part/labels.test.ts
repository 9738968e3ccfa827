import { expect, test } from 'vitest';

import { labelsOf, labelsText } from './labels';

test.each([
  ['', []],
  [' , ', []],
  ['env=prod', [{ key: 'env', value: 'prod' }]],
  [' env = prod ,mirror,a=b=c', [{ key: 'env', value: 'prod' }, { key: 'mirror', value: '' }, { key: 'a', value: 'b=c' }]],
])('%s', (text, want) => expect(labelsOf(text)).toEqual(want));

test('they are written as they are read', () => {
  const text = 'env=prod, mirror';
  expect(labelsText(labelsOf(text))).toBe(text);
});
