import { expect, test } from 'vitest';

import { configuration } from './configuration';

test('files are fetched with curl', () => {
  expect(configuration('FILE', 'http://ream/content/a', false).map(({ text }) => text)).toEqual([
    'curl http://ream/content/a/PULP_MANIFEST',
    'curl --remote-name http://ream/content/a/PATH',
    'ream mirror http://ream/content/a/PULP_MANIFEST',
  ]);
});

test('where a token is needed, it is the password', () => {
  expect(configuration('FILE', 'http://ream/content/a/', true)[0]!.text).toBe('curl --user "token:$REAM_TOKEN" http://ream/content/a/PULP_MANIFEST');
});
