import { describe, expect, test } from 'vitest';

import { guess } from './upstream';

describe('a URL is completed and named', () => {
  test.each([
    ['https://example.org/files/PULP_MANIFEST', 'https://example.org/files/PULP_MANIFEST', 'files'],
    [' https://example.org/a/b/ ', 'https://example.org/a/b/PULP_MANIFEST', 'b'],
    ['https://example.org/a/b?key=1', 'https://example.org/a/b/PULP_MANIFEST?key=1', 'b'],
    ['http://example.org', 'http://example.org/PULP_MANIFEST', 'example.org'],
    ['file:///tmp/files', 'file:///tmp/files/PULP_MANIFEST', 'files'],
    ['https://example.org/f%C3%BCr%20alle/', 'https://example.org/f%C3%BCr%20alle/PULP_MANIFEST', 'f-r alle'],
    ['https://example.org/%/', 'https://example.org/%/PULP_MANIFEST', 'mirror'],
  ])('%s', (pasted, url, name) => expect(guess(pasted)).toEqual({ format: 'FILE', url, name }));
});

describe('what cannot be mirrored is explained', () => {
  test.each([
    ['', 'whole URL'], ['example.org/files', 'whole URL'], ['ftp://example.org/', 'not ftp'],
    ['https://me:secret@example.org/', 'user name and password'], ['https://example.org/a#b', 'behind #'],
    ['https://example.org/a/big.iso', 'single file'],
  ])('%s', (pasted, want) => expect(guess(pasted)).toContain(want));
});
