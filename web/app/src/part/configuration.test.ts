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
  expect(configuration('FILE', 'http://ream:8080/content/a/', true).map(({ text }) => text)).toEqual([
    'curl --user "token:$REAM_TOKEN" http://ream:8080/content/a/PULP_MANIFEST',
    'curl --user "token:$REAM_TOKEN" --remote-name http://ream:8080/content/a/PATH',
    'http://ream:8080/content/a/PULP_MANIFEST',
    'machine ream login token password $REAM_TOKEN',
  ]);
});
