import { expect, test } from 'vitest';

import { selected, selector } from './selection';

const none = { ids: null, names: null, labels: null, all: null };

test.each([
  [{ ...none, all: true }, 'all repositories'],
  [{ ...none, labels: 'env=prod' }, 'repositories with env=prod'],
  [{ ...none, names: ['a', 'b'] }, 'a, b'],
  [{ ...none, ids: ['repository-1'] }, 'repository-1'],
])('%o', (selection, want) => expect(selected(selection)).toBe(want));

test('what somebody wrote becomes a selector', () => {
  expect(selector('all', 'x')).toEqual({ all: true });
  expect(selector('labels', ' env=prod ')).toEqual({ labels: 'env=prod' });
  expect(selector('names', 'a, b c,')).toEqual({ names: ['a', 'b c'] });
});
