import type { Format } from '../api.gen';

/** What can be told from the URL of an upstream: what it holds, where its metadata is, and what to call it. */
export type Guess = { format: Format; url: string; name: string };

/** Guesses what is at a URL that somebody pasted; or says in words what is wrong with it. */
export function guess(pasted: string): Guess | string {
  let url: URL;
  try {
    url = new URL(pasted.trim());
  } catch {
    return 'Paste a whole URL, such as https://example.org/files/PULP_MANIFEST';
  }
  if (!['http:', 'https:', 'file:'].includes(url.protocol)) return `Only http, https and file are mirrored, not ${url.protocol.slice(0, -1)}.`;
  if (url.username || url.password) return 'A user name and password do not belong into the URL, which everybody sees: give them below.';
  if (url.hash) return 'The part behind # is for browsers alone: leave it out.';
  if (!url.pathname.endsWith('/PULP_MANIFEST')) {
    if (/\.[a-z0-9]{2,5}$/i.test(url.pathname)) return 'That looks like a single file. Paste the URL of the directory that has the PULP_MANIFEST.';
    url.pathname = `${url.pathname.replace(/\/+$/, '')}/PULP_MANIFEST`;
  }
  return { format: 'FILE', url: url.href, name: nameOf(url) };
}

/** A name for what is at a URL: the last part of its path that says something, or its host. */
function nameOf(url: URL): string {
  const parts = url.pathname.split('/').slice(0, -1).map(decode).filter((part) => part !== '');
  const name = parts.at(-1) ?? url.hostname;
  return name.replace(/[^A-Za-z0-9._ -]+/g, '-').replace(/^[-. ]+|[-. ]+$/g, '').slice(0, 200) || 'mirror';
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
